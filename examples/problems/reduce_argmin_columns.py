"""Row of the smallest element of each column: an integer result, reduced against the
order of memory."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 601
COLUMNS = 1400


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.argmin(dim=0)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
