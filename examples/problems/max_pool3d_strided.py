"""Largest element of boxes of a volume, with a stride that leaves a rest."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 2
CHANNELS = 12
DEPTH = 18
HEIGHT = 39
WIDTH = 37


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool3d(x, kernel_size=(2, 3, 3), stride=2)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, DEPTH, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return []
