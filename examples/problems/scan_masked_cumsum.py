"""Running sum that a boolean mask lets grow or stand still."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 500
COLUMNS = 901


class Model(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.cumsum(x.masked_fill(~mask, 0.0), dim=1)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLUMNS), torch.rand(ROWS, COLUMNS) > 0.4]


def get_init_inputs() -> list[object]:
    return []
