"""Arithmetic between tensors of different shapes, each of which has to be stretched in
another direction."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 12
ROWS = 129
COLUMNS = 257


class Model(nn.Module):
    def forward(self, x: torch.Tensor, row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        scaled = (x - row) * column
        return torch.where(scaled > 0, torch.sqrt(scaled.abs() + 1.0), scaled.clamp(-2.0, 2.0))


def get_inputs() -> list[torch.Tensor]:
    return [
        torch.randn(BATCH, ROWS, COLUMNS),
        torch.randn(COLUMNS),
        torch.randn(BATCH, ROWS, 1),
    ]


def get_init_inputs() -> list[object]:
    return []
