"""Two linear layers with GELU between them: the feed-forward part of a transformer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

TOKENS = 255
FEATURES = 256
HIDDEN = 1000


class Model(nn.Module):
    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(features, hidden)
        self.down = nn.Linear(hidden, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(x)))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(TOKENS, FEATURES)]


def get_init_inputs() -> list[object]:
    return [FEATURES, HIDDEN]
