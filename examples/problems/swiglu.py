"""A gated feed-forward part: one product decides, through SiLU, how much of another one
passes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 2
TOKENS = 127
FEATURES = 256
HIDDEN = 683


class Model(nn.Module):
    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(features, hidden, bias=False)
        self.up = nn.Linear(features, hidden, bias=False)
        self.down = nn.Linear(hidden, features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, TOKENS, FEATURES)]


def get_init_inputs() -> list[object]:
    return [FEATURES, HIDDEN]
