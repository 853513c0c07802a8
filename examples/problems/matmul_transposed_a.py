"""Product with the left operand stored transposed: its inner dimension runs along rows,
as in the gradient of a linear layer's weight."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 384
INNER = 768
COLUMNS = 500


class Model(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a.T @ b


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(INNER, ROWS), torch.randn(INNER, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
