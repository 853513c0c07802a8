"""Group normalisation followed by SiLU, as in a diffusion model: statistics over
channels and pixels of each group."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 8
CHANNELS = 48
HEIGHT = 61
WIDTH = 67
GROUPS = 6


class Model(nn.Module):
    def __init__(self, groups: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        nn.init.normal_(self.norm.weight, mean=1.0, std=0.2)
        nn.init.normal_(self.norm.bias, std=0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.silu(self.norm(x))


def get_inputs() -> list[torch.Tensor]:
    return [1.0 + 2.0 * torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [GROUPS, CHANNELS]
