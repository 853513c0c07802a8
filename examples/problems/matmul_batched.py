"""Many small products at once, one for each element of a batch; parallelism comes from
the batch more than from one product."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 48
ROWS = 128
INNER = 65
COLUMNS = 112


class Model(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.bmm(a, b)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, ROWS, INNER), torch.randn(BATCH, INNER, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
