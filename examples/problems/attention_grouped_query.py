"""Attention in which several query heads share one head of keys and values, as in
recent language models."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 2
TOKENS = 127
FEATURES = 256
QUERY_HEADS = 8
KEY_HEADS = 2


class Model(nn.Module):
    def __init__(self, features: int, query_heads: int, key_heads: int) -> None:
        super().__init__()
        self.query_heads, self.key_heads = query_heads, key_heads
        self.depth = features // query_heads
        self.query = nn.Linear(features, features, bias=False)
        self.key = nn.Linear(features, key_heads * self.depth, bias=False)
        self.value = nn.Linear(features, key_heads * self.depth, bias=False)
        self.merge = nn.Linear(features, features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, features = x.shape
        shared = self.query_heads // self.key_heads
        query = self.query(x).view(batch, tokens, self.key_heads, shared, self.depth)
        key = self.key(x).view(batch, tokens, self.key_heads, self.depth)
        value = self.value(x).view(batch, tokens, self.key_heads, self.depth)
        scores = torch.einsum("bqhsd,bkhd->bhsqk", query, key) * self.depth**-0.5
        later = torch.ones(tokens, tokens, dtype=torch.bool, device=x.device).triu(1)
        weights = torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1)
        mixed = torch.einsum("bhsqk,bkhd->bqhsd", weights, value)
        return self.merge(mixed.reshape(batch, tokens, features))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, TOKENS, FEATURES)]


def get_init_inputs() -> list[object]:
    return [FEATURES, QUERY_HEADS, KEY_HEADS]
