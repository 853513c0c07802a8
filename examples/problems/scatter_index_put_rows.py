"""Rows of a table replaced at places that an integer tensor names, each place once, as
in the cache of a language model."""

from __future__ import annotations

import torch
from torch import nn

SLOTS = 8192
ROWS = 1501
FEATURES = 256


class Model(nn.Module):
    def forward(self, table: torch.Tensor, slots: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return table.index_put((slots,), rows)


def get_inputs() -> list[torch.Tensor]:
    return [
        torch.randn(SLOTS, FEATURES),
        torch.randperm(SLOTS)[:ROWS],
        torch.randn(ROWS, FEATURES),
    ]


def get_init_inputs() -> list[object]:
    return []
