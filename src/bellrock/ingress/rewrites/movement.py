"""Data movement.

Flows in: tensors. Flows out: the same elements elsewhere, by slices of static size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten


def roll(x: Tensor, shifts: list[int], dims: list[int] | None = None) -> Tensor:
    """Two slices, the other way round, for each dimension."""
    if not dims:
        return roll(x.reshape(-1), shifts, [0]).reshape(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        size = x.shape[dim]
        start = -shift % size if size else 0
        if start:
            parts = [aten.narrow(x, dim, start, size - start), aten.narrow(x, dim, 0, start)]
            x = aten.cat(parts, dim)
    return x


def pad(x: Tensor, padding: list[int], value: float = 0) -> Tensor:
    """Negative padding is a slice, which torch-mlir does not make of it."""
    if min(padding, default=0) >= 0:
        return NotImplemented
    for i in range(0, len(padding), 2):
        dim = x.dim() - 1 - i // 2
        low, high = (max(0, -amount) for amount in padding[i : i + 2])
        x = aten.narrow(x, dim, low, x.shape[dim] - low - high)
    return aten.constant_pad_nd(x, [max(0, amount) for amount in padding], value)


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten.roll.default: roll,
    aten.constant_pad_nd.default: pad,
}
