"""Convolution over a sequence with gaps between the taps, as in a temporal convolution
network."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 4
CHANNELS = 32
FILTERS = 48
LENGTH = 3001
TAPS = 5
DILATION = 3


class Model(nn.Module):
    def __init__(self, channels: int, filters: int, taps: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, filters, taps, dilation=dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, LENGTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS, TAPS, DILATION]
