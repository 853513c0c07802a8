"""An LSTM of two layers over a sequence; gives every step's output and the last cell
state, so that a wrong state cannot hide."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 4
STEPS = 37
INPUTS = 48
HIDDEN = 64
LAYERS = 2


class Model(nn.Module):
    def __init__(self, inputs: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, num_layers=layers, batch_first=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        outputs, (_, cell) = self.lstm(x)
        return outputs, cell


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, STEPS, INPUTS)]


def get_init_inputs() -> list[object]:
    return [INPUTS, HIDDEN, LAYERS]
