"""Multi-head attention in which every token sees every other, with the projections
before and after it."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 2
TOKENS = 129
FEATURES = 192
HEADS = 6


class Model(nn.Module):
    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(features, 3 * features)
        self.merge = nn.Linear(features, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, features = x.shape
        parts = self.project(x).view(batch, tokens, 3, self.heads, features // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1) * (features // self.heads) ** -0.5
        mixed = torch.softmax(scores, dim=-1) @ value
        return self.merge(mixed.transpose(1, 2).reshape(batch, tokens, features))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, TOKENS, FEATURES)]


def get_init_inputs() -> list[object]:
    return [FEATURES, HEADS]
