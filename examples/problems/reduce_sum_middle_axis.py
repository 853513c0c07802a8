"""Sum over the middle one of three axes: neighbours in memory belong to different
sums."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 32
TERMS = 511
WIDTH = 600


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=1)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, TERMS, WIDTH)]


def get_init_inputs() -> list[object]:
    return []
