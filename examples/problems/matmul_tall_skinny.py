"""Product of a tall and a small matrix: so little work for each element read that
memory, not arithmetic, sets the speed."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 60013
INNER = 29
COLUMNS = 20


class Model(nn.Module):
    def forward(self, tall: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
        return tall @ small


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, INNER), torch.randn(INNER, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
