"""Activations with branches and with exponentials: Mish, hard swish, leaky ReLU and
ELU, one after another."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 3
CHANNELS = 31
HEIGHT = 60
WIDTH = 61


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.elu(F.leaky_relu(F.hardswish(F.mish(x)) - 0.5, 0.1))


def get_inputs() -> list[torch.Tensor]:
    return [3.0 * torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return []
