"""Matrix times vector: each element of the matrix is read once and used once, so the
speed is that of memory."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 2047
COLUMNS = 3000


class Model(nn.Module):
    def forward(self, matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        return matrix @ vector


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLUMNS), torch.randn(COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
