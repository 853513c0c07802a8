"""Mean of windows in which padding is not counted, so that windows at the edge divide
by less."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 4
CHANNELS = 48
HEIGHT = 75
WIDTH = 83


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(
            x, kernel_size=(3, 5), stride=(2, 1), padding=(1, 2), count_include_pad=False
        )


def get_inputs() -> list[torch.Tensor]:
    return [1.0 + torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return []
