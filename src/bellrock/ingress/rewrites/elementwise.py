"""Elementwise functions.

Flows in: tensors. Flows out: the values of PyTorch's ops, by few and cheap operations in the
tensors' own type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten


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


def elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    """One choice between two branches."""
    negative = (aten.exp(x * input_scale) - 1) * (alpha * scale)
    return aten.where.self(x > 0, x * scale, negative)


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """Either form; torch-mlir's tanh form rounds the root of 2/pi to a few digits."""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1.0 + aten.tanh(inner))
    return 0.5 * x * (1.0 + aten.erf(x * math.sqrt(0.5)))


def _compared(op: OpOverload) -> Callable[[Tensor, float], Tensor]:
    """Return a comparison with a number in the tensor's own type; torch-mlir's is in f64."""

    def compare(x: Tensor, number: float) -> Tensor:
        if not x.is_floating_point() or not isinstance(number, float):
            return NotImplemented
        return op(x, torch.full((), number, dtype=x.dtype, device=x.device))

    return compare


def _with_number(op: OpOverload) -> Callable[[Tensor, int], Tensor]:
    """Bits of a tensor with those of a number: torch-mlir takes them of two tensors."""

    def rewritten(x: Tensor, number: int) -> Tensor:
        kind = torch.result_type(x, number)
        return op(x.to(kind), aten.full.default([], number, dtype=kind))

    return rewritten


def remainder_of_division(x: Tensor, divisor: float) -> Tensor:
    """C's `fmod` by a number; torch-mlir knows it between tensors."""
    return aten.fmod.Tensor(x, torch.full((), divisor, dtype=x.dtype, device=x.device))


REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    aten.reciprocal.default: reciprocal,
    aten.pow.Tensor_Scalar: power,
    aten.elu.default: elu,
    aten.gelu.default: gelu,
    aten.fmod.Scalar: remainder_of_division,
    aten.bitwise_and.Scalar: _with_number(aten.bitwise_and.Tensor),
    aten.bitwise_or.Scalar: _with_number(aten.bitwise_or.Tensor),
    aten.bitwise_xor.Scalar: _with_number(aten.bitwise_xor.Tensor),
    aten.eq.Scalar: _compared(aten.eq.Tensor),
    aten.ne.Scalar: _compared(aten.ne.Tensor),
    aten.lt.Scalar: _compared(aten.lt.Tensor),
    aten.le.Scalar: _compared(aten.le.Tensor),
    aten.gt.Scalar: _compared(aten.gt.Tensor),
    aten.ge.Scalar: _compared(aten.ge.Tensor),
}
