"""Convolution with a 1 x 1 kernel: a matrix product over the channels of every pixel,
in disguise."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 3
CHANNELS = 64
FILTERS = 96
HEIGHT = 57
WIDTH = 63


class Model(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS]
