"""Attention over sequences of different lengths: a boolean input says which keys are
there."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 3
HEADS = 5
TOKENS = 203
DEPTH = 40


class Model(nn.Module):
    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
        scores = torch.where(present[:, None, None, :], scores, float("-inf"))
        return torch.softmax(scores, dim=-1) @ value


def get_inputs() -> list[torch.Tensor]:
    lengths = torch.randint(TOKENS // 2, TOKENS + 1, (BATCH, 1))
    present = torch.arange(TOKENS)[None, :] < lengths
    tensors = [torch.randn(BATCH, HEADS, TOKENS, DEPTH) for _ in range(3)]
    return [*tensors, present]


def get_init_inputs() -> list[object]:
    return []
