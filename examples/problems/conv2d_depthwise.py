"""Depthwise convolution: one small filter for each channel and no sum over channels, so
it moves more than it computes."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 3
CHANNELS = 96
HEIGHT = 61
WIDTH = 59
KERNEL = 5


class Model(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, KERNEL]
