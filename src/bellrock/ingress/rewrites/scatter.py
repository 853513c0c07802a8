"""Scatters: PyTorch's many forms as one, along the middle of three dimensions.

Flows in: tensors, indices, updates. Flows out: `bellrock::scatter_along` on reshaped tensors.
What has no such form (a boolean mask, an index smaller than the tensor beside it) is left to
torch-mlir. What is summed in 16 bits is summed in f32: an element may get any number of updates.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten
_NARROW = (torch.float16, torch.bfloat16)


def _along(x: Tensor, dim: int, index: Tensor, updates: Tensor, combine: str) -> Any:
    """Scatter with an index and updates in three dimensions, around that dimension."""
    counted = combine != "set" and x.dtype == torch.bool
    if counted or x.numel() == 0 or index.numel() == 0 or updates.dtype != x.dtype:
        return NotImplemented
    before, behind = math.prod(x.shape[:dim]), math.prod(x.shape[dim + 1 :])
    flat = x.reshape(before, x.shape[dim], behind)
    return torch.ops.bellrock.scatter_along(flat, index, updates, combine).reshape(x.shape)


def _in_f32(op: OpOverload, rewrite: Callable[..., Any]) -> Callable[..., Any]:
    """Do an op of narrow floats in f32, and rewrite it there."""

    def rewritten(x: Tensor, *arguments: Any, **named: Any) -> Any:
        if x.dtype not in _NARROW:
            return rewrite(x, *arguments, **named)
        wide = [
            a.to(torch.float32) if isinstance(a, Tensor) and a.dtype == x.dtype else a
            for a in arguments
        ]
        return op(x.to(torch.float32), *wide, **named).to(x.dtype)

    return rewritten


def _elements(x: Tensor, dim: int, index: Tensor, updates: Tensor, combine: str) -> Any:
    """Scatter elements, each with an index of its own."""
    if x.dim() == 0:
        return NotImplemented
    dim %= x.dim()
    beside = [i for i in range(x.dim()) if i != dim]
    if any(index.shape[i] != x.shape[i] for i in beside):
        return NotImplemented
    shape = [math.prod(x.shape[:dim]), index.shape[dim], math.prod(x.shape[dim + 1 :])]
    if updates.dim():
        for i, size in enumerate(index.shape):
            updates = aten.narrow(updates, i, 0, size)
        updates = updates.reshape(shape)
    else:
        updates = updates.reshape(1, 1, 1)
    return _along(x, dim, index.reshape(shape), updates, combine)


def scatter_value(x: Tensor, dim: int, index: Tensor, value: float) -> Any:
    """One number in all places."""
    number = aten.full([], value, dtype=x.dtype, device=x.device)
    return _elements(x, dim, index, number, "set")


def scatter_reduce(
    x: Tensor, dim: int, index: Tensor, updates: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """Sums, products and extrema with what was there."""
    known = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min"}
    if not include_self or reduce not in known:
        return NotImplemented
    return _elements(x, dim, index, updates, known[reduce])


def _slices(x: Tensor, dim: int, index: Tensor, updates: Tensor, combine: str) -> Any:
    """Scatter slices along one dimension."""
    if x.dim() == 0 or updates.dim() != x.dim():
        return NotImplemented
    dim %= x.dim()
    shape = [math.prod(x.shape[:dim]), index.numel(), math.prod(x.shape[dim + 1 :])]
    return _along(x, dim, index.reshape(1, -1, 1), updates.reshape(shape), combine)


def index_add(x: Tensor, dim: int, index: Tensor, updates: Tensor, *, alpha: float = 1) -> Any:
    """Slices added, times a number."""
    return _slices(x, dim, index, updates if alpha == 1 else updates * alpha, "add")


def index_put(
    x: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False
) -> Any:
    """Slices by one index, or by several of neighbouring dimensions."""
    if accumulate and x.dtype in _NARROW:
        wide = x.to(torch.float32), indices, values.to(torch.float32)
        return aten.index_put.default(*wide, accumulate).to(x.dtype)
    given = [i for i, index in enumerate(indices) if index is not None]
    known = [index for index in indices if index is not None]
    integral = all(index.dtype in (torch.int32, torch.int64) for index in known)
    if not given or not integral or given != list(range(given[0], given[-1] + 1)):
        return NotImplemented
    first, last = given[0], given[-1] + 1
    if math.prod(x.shape) == 0 or any(index.numel() == 0 for index in known):
        return NotImplemented
    place, shape = _flat_index(known, x.shape[first:last])
    values = values.expand([*x.shape[:first], *shape, *x.shape[last:]])
    sizes = [math.prod(x.shape[:first]), place.numel(), math.prod(x.shape[last:])]
    rows = x.reshape([*x.shape[:first], math.prod(x.shape[first:last]), *x.shape[last:]])
    result = _along(
        rows, first, place.reshape(1, -1, 1), values.reshape(sizes), "add" if accumulate else "set"
    )
    return result if result is NotImplemented else result.reshape(x.shape)


def _flat_index(indices: list[Tensor], sizes: Sequence[int]) -> tuple[Tensor, torch.Size]:
    """Return one index into several dimensions seen as one, and the shape before flattening."""
    shape = torch.broadcast_shapes(*(index.shape for index in indices))
    if len(indices) == 1:
        return indices[0].reshape(-1), shape
    steps = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
    terms = []
    for index, size, step in zip(indices, sizes, steps, strict=True):
        wrapped = aten.where(index < 0, index + size, index)
        terms.append(aten.clamp(wrapped, 0, size - 1) * step)
    return functools.reduce(operator.add, terms).expand(shape).reshape(-1), shape


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten.scatter.src: functools.partial(_elements, combine="set"),
    aten.scatter.value: scatter_value,
    aten.scatter_add.default: _in_f32(
        aten.scatter_add.default, functools.partial(_elements, combine="add")
    ),
    aten.scatter_reduce.two: _in_f32(aten.scatter_reduce.two, scatter_reduce),
    aten.index_add.default: _in_f32(aten.index_add.default, index_add),
    aten.index_copy.default: functools.partial(_slices, combine="set"),
    aten.index_put.default: index_put,
    aten._unsafe_index_put.default: index_put,
}
