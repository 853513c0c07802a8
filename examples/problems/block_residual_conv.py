"""The basic block of a residual network, with a strided shortcut: convolutions and
normalisations, added to the projected input."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 4
CHANNELS = 24
FILTERS = 40
HEIGHT = 53
WIDTH = 49


def normalisation(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation whose stored statistics are not those of a fresh one."""
    norm = nn.BatchNorm2d(channels)
    nn.init.normal_(norm.get_buffer("running_mean"), std=0.2)
    nn.init.uniform_(norm.get_buffer("running_var"), 0.5, 1.5)
    return norm


class Model(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, filters, 3, stride=2, padding=1, bias=False),
            normalisation(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            normalisation(filters),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels, filters, 1, stride=2, bias=False), normalisation(filters)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS]
