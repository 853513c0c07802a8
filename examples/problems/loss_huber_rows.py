"""Huber loss, quadratic near zero and linear beyond, one value for each row."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

ROWS = 4001
COLUMNS = 551
DELTA = 0.75


class Model(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.huber_loss(x, y, reduction="none", delta=DELTA).mean(dim=1)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLUMNS), torch.randn(ROWS, COLUMNS)]


def get_init_inputs() -> list[object]:
    return []
