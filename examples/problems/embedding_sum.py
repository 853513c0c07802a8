"""Rows of two tables looked up by integers and added, as tokens and positions at the
start of a language model."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 16
TOKENS = 511
VOCABULARY = 5003
FEATURES = 200


class Model(nn.Module):
    def __init__(self, vocabulary: int, tokens: int, features: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, features)
        self.position = nn.Embedding(tokens, features)
        self.register_buffer("order", torch.arange(tokens))

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        return self.token(indices) + self.position(self.order)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randint(0, VOCABULARY, (BATCH, TOKENS))]


def get_init_inputs() -> list[object]:
    return [VOCABULARY, TOKENS, FEATURES]
