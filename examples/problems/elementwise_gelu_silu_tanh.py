"""A chain of activations on one tensor, which is one pass over memory if the chain is
fused and five if it is not."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

ROWS = 777
COLUMNS = 513


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(F.silu(F.gelu(x) * 1.5) + 0.25)


def get_inputs() -> list[torch.Tensor]:
    return [2.0 * torch.randn(ROWS, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
