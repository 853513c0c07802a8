"""Product with both operands stored transposed: the result is the transpose of a plain
product, and neither operand is read in order."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 320
INNER = 555
COLUMNS = 416


class Model(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a.T @ b.T


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(INNER, ROWS), torch.randn(COLUMNS, INNER)]


def get_init_inputs() -> list[object]:
    return []
