"""What stands between the products of a network: bias, layer normalisation, GELU, scale
and residual sum, on the same rows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

TOKENS = 2049
FEATURES = 400


class Model(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(features))
        self.norm = nn.LayerNorm(features)
        self.scale = nn.Parameter(torch.rand(features))

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return residual + self.scale * F.gelu(self.norm(x + self.bias))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(TOKENS, FEATURES), torch.randn(TOKENS, FEATURES)]


def get_init_inputs() -> list[object]:
    return [FEATURES]
