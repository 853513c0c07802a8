"""Nothing but movement: slices with steps, concatenation, and padding with a value."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 24
ROWS = 200
COLUMNS = 301


class Model(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([x[:, ::2], y[:, 1:70], x[:, 100:]], dim=1)
        return F.pad(joined, (3, 2, 1, 0), value=0.5)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, ROWS, COLUMNS), torch.randn(BATCH, ROWS, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
