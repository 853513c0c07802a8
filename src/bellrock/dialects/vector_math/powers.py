"""Powers and the cube root.

Flows in: numbers in binary32. Flows out: x**y = 2**(y log2 |x|) in binary64, with the cases of
C's `pow` (annex F): a result of NaN only for a NaN or for a negative base with a broken exponent.
"""

from __future__ import annotations

import math

from bellrock.dialects.vector_math.double import exp2_double, log2_double
from bellrock.dialects.vector_math.number import Number, choose

FAR = 400.0
"""2**400 and 2**-400 round to infinity and zero in binary32."""
LARGEST_PRODUCT = 6
"""Whole exponents up to this one are multiplied out."""
SIGN = -(1 << 31)


def power(x: Number, y: Number) -> Number:
    """Error below 0.6 ulp."""
    a = abs(x)
    exponent = _log2_of_single(a) * y.to_double()
    # A base of 1 or -1: also for an infinite exponent.
    exponent = choose(a.compare("==", 1.0), 0.0, exponent)
    result = exp2_double(exponent.clamp(-FAR, FAR)).to_single()
    whole = y.floor().compare("==", y)
    half = y * 0.5
    odd = whole & half.floor().compare("!=", half)
    result = (result.bits() ^ choose(odd, x.bits() & SIGN, 0)).as_float()
    broken = x.compare("<", 0.0) & x.compare(">", -math.inf) & y.floor().compare("!=", y)
    result = choose(broken | x.compare("unordered", y), math.nan, result)
    return choose(x.compare("==", 1.0) | y.compare("==", 0.0), 1.0, result)


def whole_power(x: Number, exponent: int) -> Number:
    """Return x to a small positive whole power, by squaring; error below 4 ulp."""
    result: Number | None = None
    while True:
        if exponent & 1:
            result = x if result is None else result * x
        exponent >>= 1
        if not exponent:
            assert result is not None
            return result
        x = x * x


def cube_root(x: Number) -> Number:
    """Error below 0.6 ulp."""
    a = abs(x)
    root = exp2_double(log2_double(a.to_double()) * (1.0 / 3.0)).to_single()
    usual = a.compare(">", 0.0) & a.compare("<", math.inf)
    return choose(usual, root.with_sign_of(x), x)


def _log2_of_single(a: Number) -> Number:
    """Return log2 of a number that is not negative; infinite at zero and infinity."""
    logarithm = log2_double(a.to_double())
    logarithm = choose(a.compare("==", 0.0), -math.inf, logarithm)
    return choose(a.compare("==", math.inf), math.inf, logarithm)
