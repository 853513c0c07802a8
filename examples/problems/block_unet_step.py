"""One step down and up again of a U-shaped network: convolution, pooling, transposed
convolution, and the skipped image put beside it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 1
CHANNELS = 16
FILTERS = 32
HEIGHT = 50
WIDTH = 62


class Model(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, filters, 3, padding=1)
        self.deep = nn.Conv2d(filters, 2 * filters, 3, padding=1)
        self.grow = nn.ConvTranspose2d(2 * filters, filters, 2, stride=2)
        self.leave = nn.Conv2d(2 * filters, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skipped = F.relu(self.enter(x))
        deep = F.relu(self.deep(F.max_pool2d(skipped, 2)))
        return self.leave(torch.cat([skipped, self.grow(deep)], dim=1))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, FILTERS]
