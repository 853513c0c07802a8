"""Convolution over a volume, such as a short video, with sizes that no vector
divides."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 1
CHANNELS = 8
FILTERS = 15
DEPTH = 9
HEIGHT = 31
WIDTH = 37


class Model(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, filters, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, DEPTH, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS]
