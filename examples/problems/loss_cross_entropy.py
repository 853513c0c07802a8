"""Cross-entropy against integer classes: log-softmax, a gather and a mean, down to a
scalar."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 3001
CLASSES = 500


class Model(nn.Module):
    def forward(self, scores: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(scores, classes)


def get_inputs() -> list[torch.Tensor]:
    return [2.0 * torch.randn(BATCH, CLASSES), torch.randint(0, CLASSES, (BATCH,))]


def get_init_inputs() -> list[object]:
    return []
