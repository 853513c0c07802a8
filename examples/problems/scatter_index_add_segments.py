"""Rows summed into segments, as messages into the nodes of a graph."""

from __future__ import annotations

import torch
from torch import nn

NODES = 301
EDGES = 8000
FEATURES = 160


class Model(nn.Module):
    def forward(
        self, nodes: torch.Tensor, target: torch.Tensor, messages: torch.Tensor
    ) -> torch.Tensor:
        return nodes.index_add(0, target, messages)


def get_inputs() -> list[torch.Tensor]:
    return [
        torch.randn(NODES, FEATURES),
        torch.randint(0, NODES, (EDGES,)),
        torch.randn(EDGES, FEATURES),
    ]


def get_init_inputs() -> list[object]:
    return []
