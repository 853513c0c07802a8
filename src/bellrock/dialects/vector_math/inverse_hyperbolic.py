"""asinh, acosh and atanh: logarithms in binary64.

Flows in: x in binary32. Flows out: the function, without a branch. Near zero, where a logarithm
of 1 + x loses digits even in binary64, the functions equal x to the last bit.
"""

from __future__ import annotations

import math

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.double import log2_double
from bellrock.dialects.vector_math.number import Number, choose, fma

NEAR_ZERO = 2.0**-13
"""Below it x**3 / 3 is less than half an ulp of x."""


def asinh(x: Number) -> Number:
    """Error below 0.6 ulp."""
    a = abs(x)
    d = a.to_double()
    result = _log(d + fma(d, d, 1.0).sqrt()).to_single().with_sign_of(x)
    usual = a.compare(">", NEAR_ZERO) & a.compare("<", math.inf)
    return choose(usual, result, x)


def acosh(x: Number) -> Number:
    """Error below 0.6 ulp."""
    d = x.to_double()
    result = _log(d + fma(d, d, -1.0).sqrt()).to_single()
    result = choose(x.compare("<", math.inf), result, x)
    return choose(x.compare("<", 1.0), math.nan, result)


def atanh(x: Number) -> Number:
    """Error below 0.6 ulp."""
    a = abs(x)
    d = a.to_double()
    result = (_log((1.0 + d) / (1.0 - d)) * 0.5).to_single()
    result = choose(a.compare("<", 1.0), result, math.inf)
    result = choose(a.compare(">", 1.0), math.nan, result).with_sign_of(x)
    return choose(a.compare(">", NEAR_ZERO), result, x)


def _log(x: Number) -> Number:
    return log2_double(x) * c.LN2_DOUBLE
