"""The start of a vision transformer: an image cut into patches by a strided
convolution, a class token and positions, then one encoder block."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 4
CHANNELS = 3
HEIGHT = 56
WIDTH = 72
PATCH = 8
FEATURES = 128
HEADS = 4


class Model(nn.Module):
    def __init__(
        self, channels: int, height: int, width: int, patch: int, features: int, heads: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.embed = nn.Conv2d(channels, features, patch, stride=patch)
        tokens = 1 + (height // patch) * (width // patch)
        self.class_token = nn.Parameter(torch.randn(1, 1, features))
        self.positions = nn.Parameter(0.2 * torch.randn(1, tokens, features))
        self.first_norm, self.second_norm = nn.LayerNorm(features), nn.LayerNorm(features)
        self.project = nn.Linear(features, 3 * features)
        self.merge = nn.Linear(features, features)
        self.up, self.down = nn.Linear(features, 2 * features), nn.Linear(2 * features, features)

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, features = x.shape
        parts = self.project(x).view(batch, tokens, 3, self.heads, features // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.merge(mixed.transpose(1, 2).reshape(batch, tokens, features))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        patches = self.embed(image).flatten(2).transpose(1, 2)
        start = self.class_token.expand(image.shape[0], -1, -1)
        x = torch.cat([start, patches], dim=1) + self.positions
        x = x + self.attend(self.first_norm(x))
        return x + self.down(F.gelu(self.up(self.second_norm(x))))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs() -> list[object]:
    return [CHANNELS, HEIGHT, WIDTH, PATCH, FEATURES, HEADS]
