"""Normalisation by the root of the mean square, as in recent language models, written
out as they write it."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 3
TOKENS = 1023
FEATURES = 640
EPSILON = 1e-5


class Model(nn.Module):
    def __init__(self, features: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(1.0 + 0.2 * torch.randn(features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.epsilon)
        return x * scale * self.weight


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, TOKENS, FEATURES)]


def get_init_inputs() -> list[object]:
    return [FEATURES, EPSILON]
