"""Convolution in which nothing is square: kernel, stride, padding and dilation differ
between height and width."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 4
CHANNELS = 16
FILTERS = 24
HEIGHT = 64
WIDTH = 90


class Model(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, filters, (3, 5), stride=(1, 2), padding=(2, 3), dilation=(2, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS]
