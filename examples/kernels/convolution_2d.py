"""One convolution of an image network, of any size: what suites/convolutions.yaml sets."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 16
CHANNELS = 64
FILTERS = 64
IMAGE = 56
KERNEL = 3
STRIDE = 1
GROUPS = 1


class Model(nn.Module):
    def __init__(self, channels: int, filters: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, filters, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, IMAGE, IMAGE)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS, KERNEL, STRIDE, GROUPS]
