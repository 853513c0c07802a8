"""Channels weighted by what a small network makes of their means: a whole-image
reduction whose result scales the image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 16
CHANNELS = 72
SQUEEZED = 18
HEIGHT = 55
WIDTH = 57


class Model(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, squeezed)
        self.excite = nn.Linear(squeezed, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = x.mean(dim=(2, 3))
        weights = torch.sigmoid(self.excite(F.silu(self.squeeze(means))))
        return x * weights[:, :, None, None]


def get_inputs() -> list[torch.Tensor]:
    return [1.0 + torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, SQUEEZED]
