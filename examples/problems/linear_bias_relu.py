"""A linear layer with bias and ReLU: a product whose epilogue should stay in registers
instead of making two more passes over the result."""

from __future__ import annotations

import torch
from torch import nn

BATCH = 250
INPUTS = 768
OUTPUTS = 700


class Model(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.linear(x))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, INPUTS)]


def get_init_inputs() -> list[object]:
    return [INPUTS, OUTPUTS]
