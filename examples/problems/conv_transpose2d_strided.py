"""Transposed convolution that doubles an image, with padding and output padding; read
as a plain convolution, three quarters of its products are with zero."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 4
CHANNELS = 32
FILTERS = 24
HEIGHT = 33
WIDTH = 29


class Model(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels, filters, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS]
