"""Product of two matrices whose sizes are all prime, so that no tile and no vector
divides them: every kernel has to treat its edges."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 509
INNER = 1021
COLUMNS = 383


class Model(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a @ b


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, INNER), torch.randn(INNER, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
