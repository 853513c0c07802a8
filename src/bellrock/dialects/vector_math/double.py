"""log2 and exp2 in binary64, to the precision that a binary32 result needs.

Flows in: numbers of binary64 whose exponents are far from their limits. Flows out: the function
with a relative error of some 2**-29 (exp2) or 2**-36 (log2). What is rare, or loses digits in
binary32 (powers, inverse hyperbolic functions), is computed with these.
"""

from __future__ import annotations

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.number import Number, polynomial

ROUNDER = 1.5 * 2.0**52
MANTISSA_BITS = 52
ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
"""sqrt(1/2)"""
ONE_BITS = 0x3FF0000000000000
WHOLE_BITS = 0x4330000000000000
"""2**52: its low bits count ones."""
BIAS = 1023


def log2_double(x: Number) -> Number:
    """Return log2(x) for x > 0."""
    bits = x.bits()
    biased = (bits - (ROOT_HALF_BITS - ONE_BITS)).unsigned_shift(MANTISSA_BITS)
    # A bit pattern makes it a float: conversions of 64-bit integers are rare among vector units.
    k = (biased | WHOLE_BITS).as_float() - (2.0**52 + BIAS)
    mantissa = (bits - (biased << MANTISSA_BITS) + ONE_BITS).as_float()
    f = mantissa - 1.0
    return polynomial(f, c.LOG2_DOUBLE) * f + k


def exp2_double(x: Number) -> Number:
    """Return 2**x for |x| < 1000."""
    shifted = x + ROUNDER
    r = x - (shifted - ROUNDER)
    y = polynomial(r, c.EXP2_DOUBLE)
    return (y.bits() + (shifted.bits() << MANTISSA_BITS)).as_float()
