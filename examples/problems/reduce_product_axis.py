"""Product over the last axis, of factors near 1, so that it neither overflows nor
vanishes."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 20011
FACTORS = 230


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.prod(dim=-1)


def get_inputs() -> list[torch.Tensor]:
    return [1.0 + 0.05 * torch.randn(ROWS, FACTORS)]


def get_init_inputs() -> list[object]:
    return []
