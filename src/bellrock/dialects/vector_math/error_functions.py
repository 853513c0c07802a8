"""erf and erfc.

Flows in: x in binary32. Flows out: the function, without a branch, for every x.
"""

from __future__ import annotations

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.double import exp2_double
from bellrock.dialects.vector_math.exponentials import exp_up_to
from bellrock.dialects.vector_math.number import Number, choose, fma, polynomial

ERF_SPLIT, ERF_HIGH = 0.925, 3.95
"""Up to the first a polynomial; from 3.92 on erf rounds to 1."""
ERFC_HIGH = 10.25
"""From 10.06 on erfc rounds to zero."""
ERFC_CENTRE = 3.0


def erf(x: Number) -> Number:
    """Error below 1.3 ulp."""
    a = abs(x)
    small = fma(polynomial(a * a, c.ERF), x, x)
    t = choose(a.compare(">", ERF_HIGH), ERF_HIGH, a)
    large = 1.0 - exp_up_to(polynomial(t, c.ERF_TAIL) * t)
    return choose(a.compare("<", ERF_SPLIT), small, large.with_sign_of(x))


def erfc(x: Number) -> Number:
    """Error below 0.6 ulp; in binary64, where x x is exact."""
    d = choose(abs(x).compare(">", ERFC_HIGH), ERFC_HIGH, abs(x)).to_double()
    t = (d - ERFC_CENTRE) / (d + ERFC_CENTRE)
    tail = exp2_double(d * d * -c.LOG2_E_DOUBLE) * polynomial(t, c.ERFC_DOUBLE)
    return choose(x.compare("<", 0.0), 2.0 - tail, tail).to_single()
