"""Convolution in groups: each group of filters sees its own quarter of the channels."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 5
CHANNELS = 32
FILTERS = 64
HEIGHT = 47
WIDTH = 53
GROUPS = 4


class Model(nn.Module):
    def __init__(self, channels: int, filters: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, padding=1, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS, GROUPS]
