"""Product with the right operand stored transposed: both operands are read along rows,
as in the scores of attention."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 450
INNER = 640
COLUMNS = 512


class Model(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a @ b.T


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, INNER), torch.randn(COLUMNS, INNER)]


def get_init_inputs() -> list[object]:
    return []
