"""Pooling and convolution.

Flows in: tensors with or without a batch dimension. Flows out: pools in the one form that
torch-mlir lowers, and those convolutions by way of others that it does not lower itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils import _pytree as pytree

aten = torch.ops.aten
MOST_RUNS = 24
"""Poolings that an adaptive one may be made of; more are left to a table of indices."""


@dataclass(frozen=True, slots=True)
class Run:
    """Windows of one size and one stride along an axis."""

    start: int
    window: int
    stride: int
    count: int

    @property
    def extent(self) -> int:
        """What the windows cover together."""
        return (self.count - 1) * self.stride + self.window


KEPT = Run(0, 1, 1, 1)
"""Along an axis that is not pooled."""


def runs_of(size: int, count: int) -> list[Run]:
    """Return the windows of an adaptive pool along one axis, as few runs."""
    runs: list[Run] = []
    for number in range(count):
        start = number * size // count
        window = -(-(number + 1) * size // count) - start
        last = runs[-1] if runs else None
        stride = 0 if last is None else start - last.start - (last.count - 1) * last.stride
        alike = last is not None and last.window == window and stride > 0
        if last is None or not alike or (last.count > 1 and last.stride != stride):
            runs.append(Run(start, window, 1, 1))
        else:
            runs[-1] = replace(last, stride=stride, count=last.count + 1)
    return runs


def adaptive_average(x: Tensor, size: list[int]) -> Tensor:
    """An average over windows of one size each, where there are few sizes and strides.

    PyTorch's gathers: each window of another size is padded, and masked.
    """
    spatial = list(range(x.dim() - len(size), x.dim()))
    if all(s == 1 for s in size):
        return aten.mean.dim(x, spatial, True)
    if min(size) < 1:
        return NotImplemented
    runs = [runs_of(x.shape[d], s) for d, s in zip(spatial, size, strict=True)]
    if sum(map(len, runs)) > MOST_RUNS:
        return NotImplemented
    # Axes of one run are pooled together with the first one of several, and so by one pass.
    uneven = [i for i, along in enumerate(runs) if len(along) > 1] or [0]
    for first in uneven:
        plain = [along[0] if len(along) == 1 and first == uneven[0] else KEPT for along in runs]
        parts = [_pooled(x, spatial[first], run, [*plain[:first], run, *plain[first + 1 :]])
                 for run in runs[first]]  # fmt: skip
        x = aten.cat(parts, spatial[first]) if len(parts) > 1 else parts[0]
    return x


def _pooled(x: Tensor, axis: int, run: Run, each: Sequence[Run]) -> Tensor:
    """Return the averages over windows, of which one axis has a part only."""
    if run.extent < x.shape[axis]:
        x = aten.narrow(x, axis, run.start, run.extent)
    pools = {1: aten.avg_pool1d, 2: aten.avg_pool2d, 3: aten.avg_pool3d}
    return pools[len(each)](x, [r.window for r in each], [r.stride for r in each])


def adaptive_maximum(x: Tensor, size: list[int]) -> tuple[Tensor, Tensor]:
    """Maxima over windows of uneven sizes, and where they are: shorter ones repeat their end.

    Windows of one size are left to torch-mlir.
    """
    first, count = x.dim() - len(size), len(size)
    extents = list(x.shape[first:])
    if all(extent % s == 0 for extent, s in zip(extents, size, strict=True)):
        return NotImplemented
    tables = [
        _window_positions(extent, s, x.device) for extent, s in zip(extents, size, strict=True)
    ]
    # Each table has two dimensions of its own: windows and places in them.
    spread = [
        table.reshape([1] * (2 * i) + list(table.shape) + [1] * (2 * (count - 1 - i)))
        for i, table in enumerate(tables)
    ]
    order = [*range(0, 2 * count, 2), *range(1, 2 * count, 2)]
    taken = aten.index.Tensor(x, [None] * first + spread)
    windows = taken.permute([*range(first), *(first + d for d in order)])
    top, at = aten.max.dim(windows.reshape([*x.shape[:first], *size, -1]), -1)
    whole = spread[0]
    for extent, places in zip(extents[1:], spread[1:], strict=True):
        whole = whole * extent + places
    whole = whole.permute(order).reshape([1] * first + [*size, -1])
    position = aten.gather(whole.expand(*at.shape, whole.shape[-1]), -1, at.unsqueeze(-1))
    return top, position.squeeze(-1)


def _window_positions(extent: int, windows: int, device: torch.device) -> Tensor:
    """Positions that each window reads, (windows, longest), its last one repeated to the end."""
    starts = torch.arange(windows, device=device) * extent
    ends = aten.div.Tensor_mode(starts + (extent + windows - 1), windows, rounding_mode="floor")
    starts = aten.div.Tensor_mode(starts, windows, rounding_mode="floor")
    longest = max(-(-extent * (i + 1) // windows) - extent * i // windows for i in range(windows))
    places = starts.unsqueeze(1) + torch.arange(longest, device=device)
    return aten.minimum(places, ends.unsqueeze(1) - 1)


def _batched(op: OpOverload, rank: int) -> Callable[..., Any]:
    """Return a pool that gives an input without a batch dimension one of size 1."""

    def pool(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if x.dim() != rank + 1:
            return NotImplemented
        return pytree.tree_map(lambda y: y.squeeze(0), op(x.unsqueeze(0), *args, **kwargs))

    return pool


def _average(op: OpOverload, rank: int) -> Callable[..., Any]:
    """Return an average pool as sums over windows, where all divide by one number."""
    batched = _batched(op, rank)

    def pool(
        x: Tensor,
        window: list[int],
        stride: list[int] | None = None,
        padding: list[int] | int = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        window, around = _each(window, rank), _each(padding, rank)
        given = (x, window, stride or [], around, ceil_mode, count_include_pad)
        if x.dim() == rank + 1:
            return batched(*given, *([divisor_override] if rank > 1 else []))
        counted = count_include_pad or not any(around) or divisor_override is not None
        if ceil_mode or not counted or not x.is_floating_point():
            return NotImplemented
        if any(around):
            x = aten.constant_pad_nd(x, [p for p in reversed(around) for _ in range(2)])
        sums = torch.ops.bellrock.sum_windows(x, window, _each(stride or window, rank))
        return sums / float(divisor_override or math.prod(window))

    return pool


def _each(sizes: list[int] | int, rank: int) -> list[int]:
    """Return one size for each dimension, where one may stand for all."""
    given = [sizes] if isinstance(sizes, int) else list(sizes)
    return given * rank if len(given) == 1 else given


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Tensor:
    """Filters of one channel each, where torch-mlir lowers none: in 3-D, and transposed."""
    if groups == 1 or weight.shape[1] != 1 or x.shape[1] != groups:
        return NotImplemented
    if transposed and weight.shape[0] == groups:
        x, weight, padding = _untransposed(x, weight, stride, padding, dilation, output_padding)
        ones = [1] * len(stride)
        return aten.convolution(
            x, weight, bias, ones, padding, dilation, False, [0] * len(stride), groups
        )
    if transposed or x.dim() != 5 or weight.shape[0] != groups:
        return NotImplemented
    x = aten.constant_pad_nd(x, [p for p in reversed(padding) for _ in range(2)])
    y = torch.ops.bellrock.depthwise(x, weight.squeeze(1), stride, dilation)
    if bias is not None:
        y = y + bias.reshape([1, -1, 1, 1, 1])
    return y.to(x.dtype)


def _untransposed(
    x: Tensor,
    weight: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    output_padding: list[int],
) -> tuple[Tensor, Tensor, list[int]]:
    """Return input, weight and padding of the convolution that a transposed one is.

    The input has zeros between its elements, and around them what padding may not be
    (uneven, or negative); the weight is reversed.
    """
    around: list[int] = []
    for i, step in enumerate(stride):
        dim = 2 + i
        if step > 1:
            size = (x.shape[dim] - 1) * step + 1
            spread = x.new_zeros([*x.shape[:dim], size, *x.shape[dim + 1 :]])
            x = aten.slice_scatter(spread, x, dim, 0, size, step)
        low = dilation[i] * (weight.shape[dim] - 1) - padding[i]
        around = [low, low + output_padding[i], *around]
    spatial = list(range(2, x.dim()))
    return aten.constant_pad_nd(x, around), aten.flip(weight, spatial), [0] * len(stride)


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten.convolution.default: convolution,
    aten.max_pool1d.default: _batched(aten.max_pool1d.default, 1),
    aten.max_pool2d.default: _batched(aten.max_pool2d.default, 2),
    aten.max_pool3d.default: _batched(aten.max_pool3d.default, 3),
    aten.avg_pool1d.default: _average(aten.avg_pool1d.default, 1),
    aten.avg_pool2d.default: _average(aten.avg_pool2d.default, 2),
    aten.avg_pool3d.default: _average(aten.avg_pool3d.default, 3),
    aten.max_pool2d_with_indices.default: _batched(aten.max_pool2d_with_indices.default, 2),
    aten.max_pool3d_with_indices.default: _batched(aten.max_pool3d_with_indices.default, 3),
    aten.adaptive_max_pool1d.default: adaptive_maximum,
    aten.adaptive_max_pool2d.default: adaptive_maximum,
    aten.adaptive_max_pool3d.default: adaptive_maximum,
    aten.adaptive_avg_pool1d.default: adaptive_average,
    aten.adaptive_avg_pool2d.default: adaptive_average,
    aten.adaptive_avg_pool3d.default: adaptive_average,
    aten._adaptive_avg_pool2d.default: adaptive_average,
    aten._adaptive_avg_pool3d.default: adaptive_average,
}
