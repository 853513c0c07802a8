"""Logarithm of the softmax over the channels of an image, which are not neighbours in
memory."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 8
CHANNELS = 21
HEIGHT = 150
WIDTH = 75


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(x, dim=1)


def get_inputs() -> list[torch.Tensor]:
    return [2.0 * torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return []
