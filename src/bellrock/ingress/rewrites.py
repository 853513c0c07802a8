"""PyTorch ops in terms of simpler ones, spelled for what torch-mlir makes of them.

Flows in: tensors of any floating type. Flows out: the same values as the op's own kernel,
up to rounding. Every function here is a decomposition with the signature of its op.
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


def reciprocal(x: Tensor) -> Tensor:
    """A division; torch-mlir's own asserts at run time that no element is zero."""
    if not x.is_floating_point():
        x = x.to(torch.get_default_dtype())
    return aten.div.Tensor(torch.ones((), dtype=x.dtype), x)


def power(x: Tensor, exponent: float) -> Tensor:
    """Small whole and half exponents without a call of `pow`."""
    if not x.is_floating_point() or exponent not in _POWERS:
        return NotImplemented
    return _POWERS[exponent](x)


_POWERS: Mapping[float, Callable[[Tensor], Tensor]] = {
    -2: lambda x: reciprocal(x * x),
    -1: lambda x: reciprocal(x),
    -0.5: lambda x: aten.rsqrt(x),
    0.5: lambda x: aten.sqrt(x),
    1: lambda x: x.clone(),
    2: lambda x: x * x,
    3: lambda x: x * x * x,
    4: lambda x: (x * x) * (x * x),
}


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
    dims = list(range(x.dim())) if not dim else dim
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


def elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    """One choice between two branches."""
    negative = (aten.exp(x * input_scale) - 1) * (alpha * scale)
    return aten.where.self(x > 0, x * scale, negative)


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """Either form; torch-mlir's tanh form rounds the root of 2/pi to five digits."""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1.0 + aten.tanh(inner))
    return 0.5 * x * (1.0 + aten.erf(x * math.sqrt(0.5)))


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


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """One matrix product whatever the rank of `x`."""
    if weight.dim() == 1:
        return aten.mv(x.reshape(-1, x.shape[-1]), weight).reshape(x.shape[:-1])
    rows = x.reshape(-1, x.shape[-1])
    product = aten.mm(rows, weight.t()) if bias is None else aten.addmm(bias, rows, weight.t())
    return product.reshape([*x.shape[:-1], weight.shape[0]])


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """One matrix product where the second factor is shared by all of the first one's."""
    if x.dim() < 3 or y.dim() != 2:
        return NotImplemented
    product = aten.mm(x.reshape(-1, x.shape[-1]), y)
    return product.reshape([*x.shape[:-1], y.shape[1]])


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Two products around a softmax in f32 or wider; masks cost only where they are used."""
    if dropout_p > 0:
        return NotImplemented
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key = key.repeat_interleave(repeats, -3)
        value = value.repeat_interleave(repeats, -3)
    wide = torch.promote_types(query.dtype, torch.float32)
    scores = torch.matmul(query.to(wide), key.to(wide).transpose(-2, -1))
    scores = scores * (1.0 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is None:
        weights = torch.softmax(scores, -1)
    elif attn_mask.dtype == torch.bool:
        weights = _masked_softmax(torch.where(attn_mask, scores, -math.inf))
    else:
        weights = _masked_softmax(scores + attn_mask.to(wide))
    return torch.matmul(weights.to(value.dtype), value)


def _masked_softmax(scores: Tensor) -> Tensor:
    """Softmax over the last dimension; rows that are masked altogether are zero."""
    top = aten.amax(scores, [-1], True)
    exponential = aten.exp(scores - aten.where(top == -math.inf, torch.zeros_like(top), top))
    total = aten.sum.dim_IntList(exponential, [-1], True)
    return exponential / aten.where(total == 0, torch.ones_like(total), total)


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten.gelu.default: gelu,
    aten.var_mean.correction: var_mean,
    aten.var.correction: var,
    aten.std.correction: std,
    aten.std_mean.correction: std_mean,
    aten.native_layer_norm.default: layer_norm,
    aten.group_norm.default: group_norm,
    aten.native_group_norm.default: native_group_norm,
    aten._native_batch_norm_legit_no_training.default: batch_norm_inference,
    aten._softmax.default: softmax,
    aten._log_softmax.default: log_softmax,
    aten.reciprocal.default: reciprocal,
    aten.linear.default: linear,
    aten.pow.Tensor_Scalar: power,
    aten.linalg_vector_norm.default: vector_norm,
    aten.norm.Scalar: norm,
    aten.norm.ScalarOpt_dim: norm,
    aten.norm.ScalarOpt_dtype: norm,
    aten.norm.ScalarOpt_dim_dtype: norm,
    aten.elu.default: elu,
    aten.amax.default: amax,
    aten.amin.default: amin,
    aten.max.default: lambda x: amax(x),
    aten.min.default: lambda x: amin(x),
    aten.instance_norm.default: instance_norm,
    aten.matmul.default: matmul,
    aten.scaled_dot_product_attention.default: attention,
}
"""Decompositions by op; see the functions for what each avoids. One that returns
`NotImplemented` leaves the call to the op's next decomposition."""
