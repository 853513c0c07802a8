"""Reductions over whole dimensions.

Flows in: tensors. Flows out: the values of PyTorch's ops, by sums and plain extrema, without
calls of `pow`, comparisons in f64, or indices that nobody asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten


def softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    """Shifted by the maximum, which is a plain maximum (no argmax beside it)."""
    if x.dim() == 0:
        return torch.ones_like(x)
    exponential = aten.exp(x - aten.amax(x, [dim], True))
    return exponential / aten.sum.dim_IntList(exponential, [dim], True)


def log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    """Shifted by the maximum."""
    if x.dim() == 0:
        return torch.zeros_like(x)
    shifted = x - aten.amax(x, [dim], True)
    return shifted - aten.log(aten.sum.dim_IntList(aten.exp(shifted), [dim], True))


def logsumexp(x: Tensor, dim: list[int], keepdim: bool = False) -> Tensor:
    """Shifted by the maximum, unless that is infinite."""
    if x.dim() == 0:
        return x.clone()
    if not x.is_floating_point():
        x = x.to(torch.get_default_dtype())
    top = aten.amax(x, dim, True)
    top = aten.where(aten.abs(top) == math.inf, torch.zeros_like(top), top)
    total = aten.log(aten.sum.dim_IntList(aten.exp(x - top), dim, True)) + top
    return total if keepdim else total.squeeze(dim)


def vector_norm(
    x: Tensor,
    ord: float = 2,  # noqa: A002  # the op's own name
    dim: list[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The norms in use, without `pow`."""
    if dtype is not None:
        x = x.to(dtype)
    dims = dim or list(range(x.dim()))
    if ord == math.inf:
        return aten.amax(aten.abs(x), dims, keepdim)
    if ord == -math.inf:
        return aten.amin(aten.abs(x), dims, keepdim)
    if ord == 0:
        return aten.sum.dim_IntList((x != 0).to(x.dtype), dims, keepdim)
    if ord == 1:
        return aten.sum.dim_IntList(aten.abs(x), dims, keepdim)
    if ord == 2:
        return aten.sqrt(aten.sum.dim_IntList(x * x, dims, keepdim))
    total = aten.sum.dim_IntList(aten.pow.Tensor_Scalar(aten.abs(x), ord), dims, keepdim)
    return aten.pow.Tensor_Scalar(total, 1.0 / ord)


def norm(
    x: Tensor,
    p: float | None,
    dim: list[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """`vector_norm` under its old names."""
    return vector_norm(x, 2 if p is None else p, dim, keepdim, dtype=dtype)


def amax(x: Tensor, dim: list[int] | None = None, keepdim: bool = False) -> Tensor:
    """A plain maximum; torch-mlir's has an argmax beside it."""
    return _extremum(x, dim, keepdim, largest=True)


def amin(x: Tensor, dim: list[int] | None = None, keepdim: bool = False) -> Tensor:
    """A plain minimum."""
    return _extremum(x, dim, keepdim, largest=False)


def _extremum(x: Tensor, dim: list[int] | None, keepdim: bool, *, largest: bool) -> Tensor:
    if x.dim() == 0:
        return x.clone()
    dims = [d % x.dim() for d in dim] if dim else list(range(x.dim()))
    result = torch.ops.bellrock.extremum(x, dims, largest)
    if not keepdim:
        return result
    return result.reshape([1 if i in dims else size for i, size in enumerate(x.shape)])


def linalg_norm(
    x: Tensor,
    ord: float | str | None = None,  # noqa: A002  # the op's own name
    dim: list[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Norms of vectors, and of matrices as far as they take no singular values."""
    dims = dim or list(range(x.dim()))
    if ord in (None, "fro"):
        return vector_norm(x, 2, dims, keepdim, dtype=dtype)
    if isinstance(ord, str) or (len(dims) == 2 and abs(ord) not in (1, math.inf)):
        return NotImplemented
    if len(dims) != 2:
        return vector_norm(x, ord, dims, keepdim, dtype=dtype)
    rows, columns = (d % x.dim() for d in dims)
    summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = vector_norm(x, 1, [summed], True, dtype=dtype)
    result = amax(sums, [kept], True) if ord > 0 else amin(sums, [kept], True)
    return result if keepdim else result.squeeze(dims)


def distances(x: Tensor, y: Tensor, p: float, compute_mode: int | None = None) -> Tensor:
    """Norms of all differences of two sets of vectors."""
    return aten.linalg_vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), p, [-1])


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten._softmax.default: softmax,
    aten._log_softmax.default: log_softmax,
    aten.logsumexp.default: logsumexp,
    aten.linalg_vector_norm.default: vector_norm,
    aten.linalg_norm.default: linalg_norm,
    aten.linalg_norm.ord_str: linalg_norm,
    aten.norm.Scalar: norm,
    aten.norm.ScalarOpt_dim: norm,
    aten.norm.ScalarOpt_dtype: norm,
    aten.norm.ScalarOpt_dim_dtype: norm,
    aten._cdist_forward.default: distances,
    aten.amax.default: amax,
    aten.amin.default: amin,
    aten.max.default: lambda x: amax(x),
    aten.min.default: lambda x: amin(x),
}
