"""asin, acos, atan and atan2.

Flows in: numbers in binary32. Flows out: the function, without a branch. pi / 2 is added in two
parts, so that a difference from it loses nothing.
"""

from __future__ import annotations

import math

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.number import Number, choose, fma, polynomial

ASIN_SPLIT = 0.575
"""Above it asin(x) = pi / 2 - 2 asin(sqrt((1 - x) / 2)); twice that is then of x's size."""


def asin(x: Number) -> Number:
    """Error below 1.5 ulp."""
    large, part = _asin_of_part(abs(x))
    mirrored = c.HALF_PI - fma(part, 2.0, -c.HALF_PI_TAIL)
    return choose(large, mirrored, part).with_sign_of(x)


def acos(x: Number) -> Number:
    """Error below 1.2 ulp."""
    large, part = _asin_of_part(abs(x))
    middle = c.HALF_PI - (part.with_sign_of(x) - c.HALF_PI_TAIL)
    left = 2.0 * (c.HALF_PI - (part - c.HALF_PI_TAIL))
    right = part + part
    return choose(large, choose(x.compare("<", 0.0), left, right), middle)


def _asin_of_part(a: Number) -> tuple[Number, Number]:
    """Return whether a is large, and asin of a or, if so, of sqrt((1 - a) / 2)."""
    large = a.compare(">", ASIN_SPLIT)
    z = choose(large, (1.0 - a) * 0.5, a * a)
    s = choose(large, z.sqrt(), a)
    return large, fma(polynomial(z, c.ASIN) * z, s, s)


def atan(x: Number) -> Number:
    """Error below 2 ulp; beyond 1 it is pi / 2 less that of the reciprocal."""
    a = abs(x)
    large = a.compare(">", 1.0)
    t = _atan_of_ratio(choose(large, 1.0, a) / choose(large, a, a.constant(1.0)))
    return choose(large, c.HALF_PI - (t - c.HALF_PI_TAIL), t).with_sign_of(x)


def atan2(y: Number, x: Number) -> Number:
    """Error below 2.2 ulp; the signs of zeros count, and infinities are of equal size."""
    a, b = abs(y), abs(x)
    steep = a.compare(">", b)
    low, high = choose(steep, b, a), choose(steep, a, b)
    ratio = choose(low.compare("==", high), 1.0, low / high)
    t = _atan_of_ratio(choose(low.compare("==", 0.0), 0.0, ratio))
    t = choose(steep, c.HALF_PI - (t - c.HALF_PI_TAIL), t)
    left = 2.0 * (c.HALF_PI - (0.5 * t - c.HALF_PI_TAIL))
    t = choose(x.bits().is_negative(), left, t).with_sign_of(y)
    return choose(y.compare("unordered", x), math.nan, t)


def _atan_of_ratio(t: Number) -> Number:
    """Return atan(t) for t from 0 to 1."""
    z = t * t
    return fma(polynomial(z, c.ATAN) * z, t, t)
