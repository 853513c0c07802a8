"""Logarithm of a sum of exponentials along the rows; large elements overflow unless the
maximum is taken out first."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 1701
COLUMNS = 777
SCALE = 15.0


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(x, dim=1)


def get_inputs() -> list[torch.Tensor]:
    return [SCALE * torch.randn(ROWS, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
