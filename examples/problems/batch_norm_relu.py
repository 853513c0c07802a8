"""Batch normalisation with stored statistics, followed by ReLU: in evaluation a scale
and a shift for each channel."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 8
CHANNELS = 60
HEIGHT = 75
WIDTH = 83


class Model(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        nn.init.normal_(self.norm.get_buffer("running_mean"), std=0.5)
        nn.init.uniform_(self.norm.get_buffer("running_var"), 0.5, 2.0)
        nn.init.normal_(self.norm.weight, mean=1.0, std=0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(x))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS]
