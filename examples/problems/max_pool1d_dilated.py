"""Largest of five elements that stand two apart, along a sequence."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 32
CHANNELS = 40
LENGTH = 3003


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool1d(x, kernel_size=5, stride=3, dilation=2)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, LENGTH)]


def get_init_inputs() -> list[object]:
    return []
