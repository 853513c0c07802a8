"""Elements added into the column that an integer tensor names; several may go to one
place, so the order of writes matters for rounding only."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 2001
COLUMNS = 900
BINS = 50


class Model(nn.Module):
    def forward(self, base: torch.Tensor, bins: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return base.scatter_add(1, bins, x)


def get_inputs() -> list[torch.Tensor]:
    return [
        torch.randn(ROWS, BINS),
        torch.randint(0, BINS, (ROWS, COLUMNS)),
        torch.randn(ROWS, COLUMNS),
    ]


def get_init_inputs() -> list[object]:
    return []
