"""log, log2, log10 and log1p.

Flows in: x in binary32. Flows out: the function, without a branch, for every x.

log(x) = k ln 2 + log(1 + f) with x = 2**k (1 + f), 1 + f from sqrt(1/2) to sqrt(2). The constants
are split into a head of few bits, whose product with k is exact, and a tail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.exponentials import BIAS, MANTISSA_BITS, power_of_two
from bellrock.dialects.vector_math.number import Number, choose, fma, polynomial

ROOT_HALF_BITS = 0x3F3504F3
"""sqrt(1/2)"""
SMALLEST_NORMAL = 2.0**-126
RAISE = 23
"""Numbers below the smallest normal one are multiplied by 2**23 first."""
WHOLE_FROM = 2.0**25
"""Adding 1 to a number of this size changes nothing that its logarithm shows."""


@dataclass(frozen=True)
class _Base:
    """Constants of one base: 1 / ln(base), log_base(2), and the polynomial."""

    factor: float
    factor_tail: float
    two_head: float
    two_tail: float
    polynomial: Sequence[float]


_E = _Base(1.0, 0.0, c.LN2_HEAD, c.LN2_TAIL, c.LOG)
_TWO = _Base(c.LOG2_E, c.LOG2_E_TAIL, 1.0, 0.0, c.LOG2)
_TEN = _Base(c.LOG10_E, c.LOG10_E_TAIL, c.LOG10_2_HEAD, c.LOG10_2_TAIL, c.LOG10)


def log(x: Number) -> Number:
    """Error below 1.1 ulp."""
    return _logarithm(x, _E)


def log2(x: Number) -> Number:
    """Error below 1.1 ulp."""
    return _logarithm(x, _TWO)


def log10(x: Number) -> Number:
    """Error below 1.1 ulp."""
    return _logarithm(x, _TEN)


def log1p(x: Number) -> Number:
    """log(1 + x); error below 1.6 ulp.

    What rounding 1 + x loses is added to f.
    """
    u = x + 1.0
    back = u - 1.0
    lost = (1.0 - (u - back)) + (x - back)
    lost = choose(abs(x).compare("<", WHOLE_FROM), lost, 0.0)
    k, mantissa = _split(u)
    f = fma(lost, power_of_two(0 - k.at_most(BIAS - 1)), mantissa - 1.0)
    return _ends(_combined(k.to_single(), f, _E), u, x).with_sign_of(x)


def _logarithm(x: Number, base: _Base) -> Number:
    tiny = x.compare("<", SMALLEST_NORMAL)
    k, mantissa = _split(choose(tiny, x * 2.0**RAISE, x))
    k = k - choose(tiny, k.constant(RAISE), 0)
    return _ends(_combined(k.to_single(), mantissa - 1.0, base), x, x)


def _split(x: Number) -> tuple[Number, Number]:
    """Return k and m with x = 2**k m, m from sqrt(1/2) to sqrt(2)."""
    bits = x.bits()
    k = (bits - ROOT_HALF_BITS) >> MANTISSA_BITS
    return k, (bits - (k << MANTISSA_BITS)).as_float()


def _combined(k: Number, f: Number, base: _Base) -> Number:
    small = fma(polynomial(f, base.polynomial), f, base.factor_tail) * f
    if base.two_tail:
        small = fma(k, base.two_tail, small)
    return fma(k, base.two_head, fma(f, base.factor, small))


def _ends(result: Number, x: Number, otherwise: Number) -> Number:
    """Return the result, or what a logarithm is at zero, below it, at infinity and at NaN."""
    result = choose(x.compare("<", math.inf), result, otherwise)
    result = choose(x.compare("==", 0.0), -math.inf, result)
    return choose(x.compare("<", 0.0), math.nan, result)
