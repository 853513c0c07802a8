"""One block of a decoder: layer normalisation, causal attention, layer normalisation,
feed-forward, with both residual sums."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 2
TOKENS = 95
FEATURES = 192
HEADS = 6


class Model(nn.Module):
    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = nn.LayerNorm(features), nn.LayerNorm(features)
        self.project = nn.Linear(features, 3 * features)
        self.merge = nn.Linear(features, features)
        self.feed = nn.Sequential(
            nn.Linear(features, 4 * features),
            nn.GELU(approximate="tanh"),
            nn.Linear(4 * features, features),
        )

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, features = x.shape
        shape = (batch, tokens, self.heads, features // self.heads)
        query, key, value = (
            part.view(shape).transpose(1, 2) for part in self.project(x).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.merge(mixed.transpose(1, 2).reshape(batch, tokens, features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attend(self.first_norm(x))
        return x + self.feed(self.second_norm(x))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, TOKENS, FEATURES)]


def get_init_inputs() -> list[object]:
    return [FEATURES, HEADS]
