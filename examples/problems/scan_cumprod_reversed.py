"""Running product from the end of each column to its start, of factors near 1."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 700
COLUMNS = 1001


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.flip(torch.cumprod(torch.flip(x, dims=(0,)), dim=0), dims=(0,))


def get_inputs() -> list[torch.Tensor]:
    return [1.0 + 0.05 * torch.randn(ROWS, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
