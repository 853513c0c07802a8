"""The first convolution of an image network: few channels in, a large kernel, stride 2
and padding on an image of odd size."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 5
CHANNELS = 3
FILTERS = 32
HEIGHT = 113
WIDTH = 127
KERNEL = 7


class Model(nn.Module):
    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride=2, padding=kernel // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS, KERNEL]
