"""Order: sorts, and what is read off sorted lines.

Flows in: tensors. Flows out: the values of PyTorch's ops, by its plain sort and slices. That
sort is stable here (`dialects/sorting`), so the stable one is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Truth values are sorted as numbers: torch-mlir's sort takes them for numbers with a sign."""
    if x.dtype != torch.bool:
        return NotImplemented
    values, positions = aten.sort.default(x.to(torch.int8), dim, descending)
    return values.to(x.dtype), positions


def stable_sort(
    x: Tensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[Tensor, Tensor]:
    """The plain sort, which is stable."""
    return aten.sort.default(x, dim, descending)


def stable_argsort(
    x: Tensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> Tensor:
    """The positions of the plain sort."""
    return aten.sort.default(x, dim, descending)[1]


def kth_value(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """A slice of the sorted tensor."""
    if x.dim() == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    values, positions = aten.sort.default(x, dim, False)
    found = [aten.narrow(y, dim, k - 1, 1) for y in (values, positions)]
    first, second = found if keepdim else [y.squeeze(dim) for y in found]
    return first, second


def median_along(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The lower of two middle values; a line with a NaN has that, the first, for its median."""
    if x.dim() == 0:
        return kth_value(x, 1)
    values, positions = kth_value(x, (x.shape[dim] + 1) // 2, dim, True)
    if x.is_floating_point():
        unordered = x != x
        spoilt = aten.any.dim(unordered, dim, True)
        first = aten.argmax(unordered.to(torch.int32), dim, True)
        values = aten.where(spoilt, torch.full_like(values, float("nan")), values)
        positions = aten.where(spoilt, first, positions)
    return (values, positions) if keepdim else (values.squeeze(dim), positions.squeeze(dim))


def median(x: Tensor) -> Tensor:
    """The median of all elements."""
    return median_along(x.reshape(-1), 0)[0]


def search_sorted(
    sequence: Tensor,
    values: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """How many elements of the sequence stand before each value."""
    if sorter is not None:
        sequence = aten.gather(sequence, -1, sorter)
    along, each = sequence.unsqueeze(-2), values.unsqueeze(-1)
    if values.dim() == 0:
        along = sequence
    after_equals = right or side == "right"
    standing = along <= each if after_equals else along < each
    # A NaN stands behind all numbers.
    behind_all = (each != each) & (along == along)
    counted = aten.sum.dim_IntList((standing | behind_all).to(torch.int64), [-1])
    return counted.to(torch.int32) if out_int32 else counted


def bucketize(
    x: Tensor, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The same, with the arguments the other way round and one sequence for all."""
    return search_sorted(boundaries, x.reshape(-1), out_int32=out_int32, right=right).reshape(
        x.shape
    )


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten.sort.default: sort,
    aten.sort.stable: stable_sort,
    aten.argsort.stable: stable_argsort,
    aten.kthvalue.default: kth_value,
    aten.median.dim: median_along,
    aten.median.default: median,
    aten.searchsorted.Tensor: search_sorted,
    aten.bucketize.Tensor: bucketize,
}
