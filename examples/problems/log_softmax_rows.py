"""Logarithm of softmax along the rows, as a classifier ends in it."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 1024
COLUMNS = 1003


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(x, dim=-1)


def get_inputs() -> list[torch.Tensor]:
    return [3.0 * torch.randn(ROWS, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
