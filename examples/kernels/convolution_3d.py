"""One convolution of a video network, of any size: what suites/convolutions.yaml sets."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 1
CHANNELS = 64
FILTERS = 128
FRAMES = 16
IMAGE = 56
KERNEL = 3


class Model(nn.Module):
    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, filters, kernel, padding=kernel // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, FRAMES, IMAGE, IMAGE)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS, KERNEL]
