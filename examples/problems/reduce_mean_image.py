"""Mean of each channel of an image, over two axes at once."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 24
CHANNELS = 64
HEIGHT = 85
WIDTH = 57


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3), keepdim=True)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return []
