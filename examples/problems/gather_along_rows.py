"""For each row its own choice of elements, named by an integer tensor."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 3001
COLUMNS = 800
CHOSEN = 451


class Model(nn.Module):
    def forward(self, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return torch.gather(x, 1, positions)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLUMNS), torch.randint(0, COLUMNS, (ROWS, CHOSEN))]


def get_init_inputs() -> list[object]:
    return []
