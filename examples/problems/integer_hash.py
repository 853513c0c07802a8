"""Integers in and integers out: products, shifts and exclusive or, where a single wrong
bit is a wrong answer."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 500
COLUMNS = 603
BUCKETS = 1009


class Model(nn.Module):
    def forward(self, keys: torch.Tensor) -> torch.Tensor:
        mixed = keys * 40503 + 12345
        mixed = mixed ^ (mixed >> 7)
        return torch.remainder(mixed, BUCKETS)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randint(-30000, 30000, (ROWS, COLUMNS))]


def get_init_inputs() -> list[object]:
    return []
