"""erf and erfc.

Flows in: x in binary32. Flows out: the function, without a branch, for every x.
"""

from __future__ import annotations

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.double import exp2_double
from bellrock.dialects.vector_math.number import Number, choose, fma, horner, polynomial

ERF_HIGH = 3.925
"""From 3.92 on erf rounds to 1."""
ERF_SPLIT = 1.15
"""Where one of erf's polynomials hands over to the other."""
ERFC_HIGH = 10.25
"""From 10.06 on erfc rounds to zero."""
ERFC_CENTRE = 3.0


def erf(x: Number) -> Number:
    """Error below 1.7 ulp.

    The eighth root of 1 - erf(x) is smooth enough for a polynomial: neither an exponential nor a
    quotient is needed. Its rounding counts the less, the nearer the result is to 1.
    """
    a = abs(x)
    near = fma(a, horner(a * a, c.ERF), a)
    root = horner(choose(a.compare(">", ERF_HIGH), ERF_HIGH, a), c.ERF_TAIL)
    fourth = (root * root) * (root * root)
    far = fma(fourth, -fourth, 1.0)
    return choose(a.compare(">", ERF_SPLIT), far, near).with_sign_of(x)


def erfc(x: Number) -> Number:
    """Error below 0.6 ulp; in binary64, where x x is exact."""
    d = choose(abs(x).compare(">", ERFC_HIGH), ERFC_HIGH, abs(x)).to_double()
    t = (d - ERFC_CENTRE) / (d + ERFC_CENTRE)
    tail = exp2_double(d * d * -c.LOG2_E_DOUBLE) * polynomial(t, c.ERFC_DOUBLE)
    return choose(x.compare("<", 0.0), 2.0 - tail, tail).to_single()
