"""Transposed convolution over a volume, in groups, with a kernel that differs in each
direction."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 1
CHANNELS = 16
FILTERS = 8
DEPTH = 7
HEIGHT = 23
WIDTH = 19
GROUPS = 2


class Model(nn.Module):
    def __init__(self, channels: int, filters: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose3d(
            channels, filters, (2, 3, 5), stride=(1, 2, 2), padding=(0, 1, 2), groups=groups
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, DEPTH, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS, GROUPS]
