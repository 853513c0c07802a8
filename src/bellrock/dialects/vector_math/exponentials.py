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
from torch_mlir.dialects import arith

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.number import Number, choose, fma, polynomial

ROUNDER = 1.5 * 2.0**23
"""A number so large that adding it rounds to a whole number."""
ROUNDER_BITS = 0x4B400000
BIAS = 127
MANTISSA_BITS = 23
SCALED_LANES = 16
"""Of the instruction that multiplies lanes by powers of two."""
ROUNDING_AS_IS = 4
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
    """Return k and r with x = k ln 2 + r; k with `ROUNDER` added."""
    shifted = fma(x, c.LOG2_E, ROUNDER)
    whole = shifted - ROUNDER
    return shifted, fma(whole, -c.LN2_TAIL, fma(whole, -c.LN2_HEAD, x))


def integer(shifted: Number) -> Number:
    """Return the whole number that `ROUNDER` was added to, as an integer."""
    return shifted.bits() - ROUNDER_BITS


def power_of_two(k: Number) -> Number:
    """Return 2**k for k from -126 to 127."""
    return ((k + BIAS) << MANTISSA_BITS).as_float()


def scaled(y: Number, shifted: Number) -> Number:
    """Return y 2**k for k from -252 to 254, rounded once; k comes with `ROUNDER` added."""
    if _BY_INSTRUCTION.get():
        if not isinstance(y.value.type, ir.VectorType):
            operands = [y.value, integer(shifted).value]
            made = ir.Operation.create("llvm.intr.ldexp", [y.value.type], operands)
            return Number(made.result)
        if ir.VectorType(y.value.type).shape == [SCALED_LANES]:
            return Number(_scaled_lanes(y.value, (shifted - ROUNDER).value))
    k = integer(shifted)
    half = k >> 1
    return y * power_of_two(half) * power_of_two(k - half)


def _scaled_lanes(y: ir.Value, k: ir.Value) -> ir.Value:
    every = arith.ConstantOp(ir.IntegerType.get_signless(SCALED_LANES), -1).result
    rounding = arith.ConstantOp(ir.IntegerType.get_signless(32), ROUNDING_AS_IS).result
    operands = [y, k, y, every, rounding]
    return ir.Operation.create("x86.avx512.mask.scalef", [y.type], operands).result


def exp_of_reduced(r: Number) -> Number:
    """Return exp(r), |r| <= ln(2) / 2."""
    return fma(polynomial(r, c.EXP), r * r, r) + 1.0


def exp(x: Number) -> Number:
    """Error below 1.1 ulp."""
    shifted, r = reduced(x.clamp(EXP_LOW, EXP_HIGH))
    return scaled(exp_of_reduced(r), shifted)


def exp_up_to(x: Number) -> Number:
    """Return exp(x) where it neither overflows nor leaves the normal numbers."""
    shifted, r = reduced(x)
    return exp_of_reduced(r) * power_of_two(integer(shifted))


def exp2(x: Number) -> Number:
    """Error below 1.1 ulp."""
    x = x.clamp(EXP2_LOW, EXP2_HIGH)
    shifted = x + ROUNDER
    r = x - (shifted - ROUNDER)
    y = fma(polynomial(r, c.EXP2), r, 1.0)
    return scaled(y, shifted)


def expm1(x: Number) -> Number:
    """exp(x) - 1; error below 1.6 ulp.

    2**k (q + 1) - 1 = (2**(k - h) q + (2**(k - h) - 2**-h)) 2**h, with q = exp(r) - 1.
    """
    shifted, r = reduced(x.clamp(EXPM1_LOW, EXP_HIGH))
    k = integer(shifted)
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
    shifted, r = reduced(choose(a.compare(">", SINH_HIGH), SINH_HIGH, a))
    return scaled(exp_of_reduced(r), shifted - 1.0)
