"""Mean square of a whole tensor: the result is a tensor without dimensions."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 3100
COLUMNS = 999


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x).mean()


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
