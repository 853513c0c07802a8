"""Variances and normalisations.

Flows in: tensors of any floating type. Flows out: the values of PyTorch's ops, computed in
two passes in the tensors' own type: torch-mlir's variance makes a copy in f64, PyTorch's
group norm ends in as_strided, its instance norm goes through a batch norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten


def var_mean(
    x: Tensor,
    dim: list[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    """Two passes in the tensor's own type; torch-mlir's makes a copy in f64."""
    dims = list(range(x.dim())) if not dim else [d % x.dim() for d in dim]
    count = math.prod(x.shape[d] for d in dims)
    divisor = max(count - (1 if correction is None else correction), 0)
    mean = aten.sum.dim_IntList(x, dims, True) * (1.0 / count)
    difference = x - mean
    total = aten.sum.dim_IntList(difference * difference, dims, True)
    variance = total * (1.0 / divisor) if divisor else total / 0.0
    if not keepdim:
        variance, mean = variance.squeeze(dims), mean.squeeze(dims)
    return variance, mean


def var(x: Tensor, dim: list[int] | None = None, **options: Any) -> Tensor:
    """The variance of `var_mean`."""
    return var_mean(x, dim, **options)[0]


def std(x: Tensor, dim: list[int] | None = None, **options: Any) -> Tensor:
    """Root of the variance."""
    return aten.sqrt(var_mean(x, dim, **options)[0])


def std_mean(x: Tensor, dim: list[int] | None = None, **options: Any) -> tuple[Tensor, Tensor]:
    """Root of the variance, and the mean."""
    variance, mean = var_mean(x, dim, **options)
    return aten.sqrt(variance), mean


def layer_norm(
    x: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise over the last `len(shape)` dimensions."""
    dims = list(range(x.dim() - len(shape), x.dim()))
    variance, mean = var_mean(x, dims, correction=0, keepdim=True)
    scale = aten.rsqrt(variance + eps)
    y = (x - mean) * scale
    if weight is not None:
        y = y * weight
    if bias is not None:
        y = y + bias
    return y, mean, scale


def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Normalise each group of channels; PyTorch's own ends in as_strided."""
    batch, channels = x.shape[:2]
    inner = math.prod(x.shape[2:])
    grouped = x.reshape(batch, num_groups, channels // num_groups, inner)
    variance, mean = var_mean(grouped, [2, 3], correction=0, keepdim=True)
    y = ((grouped - mean) * aten.rsqrt(variance + eps)).reshape(x.shape)
    affine = [1, channels] + [1] * (x.dim() - 2)
    if weight is not None:
        y = y * weight.reshape(affine)
    if bias is not None:
        y = y + bias.reshape(affine)
    return y


def native_group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    inner: int,
    num_groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """`group_norm` with the statistics that the native op returns."""
    grouped = x.reshape(batch, num_groups, -1)
    variance, mean = var_mean(grouped, [2], correction=0)
    return group_norm(x, num_groups, weight, bias, eps), mean, aten.rsqrt(variance + eps)


def batch_norm_inference(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """One multiply and one add per element; scale and shift are per channel."""
    shape = [1, x.shape[1]] + [1] * (x.dim() - 2)
    scale = aten.rsqrt(running_var + eps)
    if weight is not None:
        scale = scale * weight
    shift = -running_mean * scale
    if bias is not None:
        shift = shift + bias
    y = x * scale.reshape(shape) + shift.reshape(shape)
    return y, x.new_empty(0), x.new_empty(0)


def instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """A group norm of one channel a group; PyTorch's own goes through a batch norm."""
    if not use_input_stats and running_mean is not None and running_var is not None:
        return batch_norm_inference(x, weight, bias, running_mean, running_var, momentum, eps)[0]
    if running_mean is not None:
        return NotImplemented
    return group_norm(x, x.shape[1], weight, bias, eps)


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten.var_mean.correction: var_mean,
    aten.var.correction: var,
    aten.std.correction: std,
    aten.std_mean.correction: std_mean,
    aten.native_layer_norm.default: layer_norm,
    aten.group_norm.default: group_norm,
    aten.native_group_norm.default: native_group_norm,
    aten._native_batch_norm_legit_no_training.default: batch_norm_inference,
    aten.instance_norm.default: instance_norm,
}
