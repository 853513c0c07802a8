"""The block of a mobile network: a pointwise convolution that widens, a depthwise one,
a pointwise one that narrows, and the input added."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 3
CHANNELS = 32
HEIGHT = 47
WIDTH = 41
EXPANSION = 4


def normalisation(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation whose stored statistics are not those of a fresh one."""
    norm = nn.BatchNorm2d(channels)
    nn.init.normal_(norm.get_buffer("running_mean"), std=0.2)
    nn.init.uniform_(norm.get_buffer("running_var"), 0.5, 1.5)
    return norm


class Model(nn.Module):
    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.body = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False),
            normalisation(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False),
            normalisation(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, channels, 1, bias=False),
            normalisation(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, EXPANSION]
