"""Data movement.

Flows in: tensors. Flows out: the same elements elsewhere, by slices of static size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten
MOST_BORDERS = 40
"""Slices of a mirrored pad; more are left to a table of indices."""


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


def _bordered(x: Tensor, padding: list[int], nearest: Callable[[int, int], int]) -> Any:
    """Slices of the tensor around it: one kernel writes them all, and reads no table of indices."""
    amounts = list(zip(padding[::2], padding[1::2], strict=True))
    if min(padding) < 0 or math.prod(1 + low + high for low, high in amounts) > MOST_BORDERS:
        return NotImplemented
    for i, (low, high) in enumerate(amounts):
        dim = x.dim() - 1 - i
        size = x.shape[dim]
        before = [nearest(place, size) for place in range(-low, 0)]
        behind = [nearest(place, size) for place in range(size, size + high)]
        if low or high:
            lines = [[aten.narrow(x, dim, at, 1) for at in side] for side in (before, behind)]
            x = aten.cat([*lines[0], x, *lines[1]], dim)
    return x


def reflection_pad(x: Tensor, padding: list[int]) -> Any:
    """What is outside is as far from the edge as what is inside."""
    return _bordered(x, padding, lambda place, size: -place if place < 0 else 2 * size - 2 - place)


def replication_pad(x: Tensor, padding: list[int]) -> Any:
    """What is outside is the edge."""
    return _bordered(x, padding, lambda place, size: 0 if place < 0 else size - 1)


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten.roll.default: roll,
    aten.constant_pad_nd.default: pad,
    aten.reflection_pad1d.default: reflection_pad,
    aten.reflection_pad2d.default: reflection_pad,
    aten.reflection_pad3d.default: reflection_pad,
    aten.replication_pad1d.default: replication_pad,
    aten.replication_pad2d.default: replication_pad,
    aten.replication_pad3d.default: replication_pad,
}
