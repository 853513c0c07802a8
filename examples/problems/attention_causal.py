"""Attention in which a token sees only itself and earlier ones, by PyTorch's own
operator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 2
HEADS = 4
TOKENS = 257
DEPTH = 48


class Model(nn.Module):
    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, HEADS, TOKENS, DEPTH) for _ in range(3)]


def get_init_inputs() -> list[object]:
    return []
