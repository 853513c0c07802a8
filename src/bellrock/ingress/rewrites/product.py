"""Matrix products and attention.

Flows in: factors of any rank. Flows out: one product where one factor is shared, however many
dimensions the other one has; attention as two products around a softmax in f32 or wider.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten


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
    aten.linear.default: linear,
    aten.matmul.default: matmul,
    aten.scaled_dot_product_attention.default: attention,
}
