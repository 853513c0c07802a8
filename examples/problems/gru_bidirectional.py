"""A GRU that reads a sequence in both directions from a given first state."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 3
STEPS = 41
INPUTS = 40
HIDDEN = 56


class Model(nn.Module):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, bidirectional=True)

    def forward(self, x: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        return self.gru(x, start)[0]


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(STEPS, BATCH, INPUTS), torch.randn(2, BATCH, HIDDEN)]


def get_init_inputs() -> list[object]:
    return [INPUTS, HIDDEN]
