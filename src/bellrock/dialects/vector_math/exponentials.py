"""exp, exp2, expm1, and the hyperbolic functions that are made of them.

Flows in: x in binary32. Flows out: the function, without a branch, for every x.

exp(x) = 2**k exp(r) with k = round(x / ln 2), |r| <= ln(2) / 2. Rounding is by adding and
subtracting 1.5 2**23, which leaves k in the low bits, and needs no conversion. 2**k is
applied in two halves, so that results below the smallest normal number and
above 2**127 come out right. NaN passes through every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch_mlir import ir

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.number import Number, choose, fma, polynomial

ROUNDER = 1.5 * 2.0**23
"""A number so large that adding it rounds to a whole number."""
ROUNDER_BITS = 0x4B400000
BIAS = 127
MANTISSA_BITS = 23
EXP_HIGH, EXP_LOW = 89.0, -104.0
"""Beyond them exp is infinite, or rounds to zero."""
EXP2_HIGH, EXP2_LOW = 129.0, -151.0
EXPM1_LOW = -18.0
"""From here down exp(x) - 1 rounds to -1."""
TANH_SPLIT, TANH_HIGH = 0.625, 10.0
"""Up to the first a polynomial is more exact; from 9.02 on tanh rounds to 1."""
SINH_SPLIT, SINH_HIGH = 1.0, 90.0
_BY_INSTRUCTION: ContextVar[bool] = ContextVar("scales by an instruction", default=False)


@contextmanager
def scaling_by_instruction(*, available: bool) -> Iterator[None]:
    """Within it, products with powers of two are one op, which LLVM's vectoriser knows.

    Args:
        available: whether the processor has it for vectors; LLVM calls the C library if not.
    """
    token = _BY_INSTRUCTION.set(available)
    try:
        yield
    finally:
        _BY_INSTRUCTION.reset(token)


def reduced(x: Number) -> tuple[Number, Number]:
    """Return k and r with x = k ln 2 + r; k as an integer."""
    shifted = fma(x, c.LOG2_E, ROUNDER)
    whole = shifted - ROUNDER
    r = fma(whole, -c.LN2_TAIL, fma(whole, -c.LN2_HEAD, x))
    return shifted.bits() - ROUNDER_BITS, r


def power_of_two(k: Number) -> Number:
    """Return 2**k for k from -126 to 127."""
    return ((k + BIAS) << MANTISSA_BITS).as_float()


def scaled(y: Number, k: Number) -> Number:
    """Return y 2**k for k from -252 to 254, rounded once."""
    kind = y.value.type
    if _BY_INSTRUCTION.get() and not isinstance(kind, ir.VectorType):  # the op takes scalars
        made = ir.Operation.create("llvm.intr.ldexp", [kind], [y.value, k.value])
        return Number(made.result)
    half = k >> 1
    return y * power_of_two(half) * power_of_two(k - half)


def exp_of_reduced(r: Number) -> Number:
    """Return exp(r), |r| <= ln(2) / 2."""
    return fma(polynomial(r, c.EXP), r * r, r) + 1.0


def exp(x: Number) -> Number:
    """Error below 1.1 ulp."""
    k, r = reduced(x.clamp(EXP_LOW, EXP_HIGH))
    return scaled(exp_of_reduced(r), k)


def exp_up_to(x: Number) -> Number:
    """Return exp(x) where it neither overflows nor leaves the normal numbers."""
    k, r = reduced(x)
    return exp_of_reduced(r) * power_of_two(k)


def exp2(x: Number) -> Number:
    """Error below 1.1 ulp."""
    x = x.clamp(EXP2_LOW, EXP2_HIGH)
    shifted = x + ROUNDER
    r = x - (shifted - ROUNDER)
    y = fma(polynomial(r, c.EXP2), r, 1.0)
    return scaled(y, shifted.bits() - ROUNDER_BITS)


def expm1(x: Number) -> Number:
    """exp(x) - 1; error below 1.6 ulp.

    2**k (q + 1) - 1 = (2**(k - h) q + (2**(k - h) - 2**-h)) 2**h, with q = exp(r) - 1.
    """
    k, r = reduced(x.clamp(EXPM1_LOW, EXP_HIGH))
    q = fma(polynomial(r, c.EXPM1), r * r, r)
    half = k >> 1
    rest = power_of_two(k - half)
    below = fma(rest, q, rest - power_of_two(0 - half))
    return (below * power_of_two(half)).with_sign_of(x)


def tanh(x: Number) -> Number:
    """Error below 1.4 ulp."""
    a = abs(x)
    z = a * a
    small = fma(polynomial(z, c.TANH) * z, a, a)
    a = choose(a.compare(">", TANH_HIGH), TANH_HIGH, a)
    large = 1.0 - 2.0 / (exp_up_to(a + a) + 1.0)
    return choose(a.compare("<", TANH_SPLIT), small, large).with_sign_of(x)


def sinh(x: Number) -> Number:
    """Error below 1.7 ulp."""
    a = abs(x)
    z = a * a
    small = fma(polynomial(z, c.SINH) * z, a, a)
    half = _half_exp(a)
    return choose(a.compare("<", SINH_SPLIT), small, half - 0.25 / half).with_sign_of(x)


def cosh(x: Number) -> Number:
    """Error below 1.6 ulp."""
    half = _half_exp(abs(x))
    return half + 0.25 / half


def _half_exp(a: Number) -> Number:
    """Return exp(a) / 2, which is finite for some a whose exponential is not."""
    k, r = reduced(choose(a.compare(">", SINH_HIGH), SINH_HIGH, a))
    return scaled(exp_of_reduced(r), k - 1)
