"""One trunk with two heads: a model that returns a dictionary of two tensors of
different sizes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 230
INPUTS = 500
HIDDEN = 300
LATENT = 33


class Model(nn.Module):
    def __init__(self, inputs: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.trunk = nn.Linear(inputs, hidden)
        self.mean = nn.Linear(hidden, latent)
        self.spread = nn.Linear(hidden, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = torch.tanh(self.trunk(x))
        return {"mean": self.mean(hidden), "spread": F.softplus(self.spread(hidden))}


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(BATCH, INPUTS)]


def get_init_inputs() -> list[object]:
    return [INPUTS, HIDDEN, LATENT]
