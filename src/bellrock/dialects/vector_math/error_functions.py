"""erf and erfc.

Flows in: x in binary32. Flows out: the function, without a branch, for every x.
"""

from __future__ import annotations

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.double import exp2_double
from bellrock.dialects.vector_math.number import Number, choose, horner, polynomial

ERF_HIGH = 3.925
"""From 3.92 on erf rounds to 1."""
ERFC_HIGH = 10.25
"""From 10.06 on erfc rounds to zero."""
ERFC_CENTRE = 3.0


def erf(x: Number) -> Number:
    """Error below 4.6 ulp, 0.9 in the mean: one quotient for all x.

    A polynomial near zero and an exponential beyond would halve the error at three times the
    operations, and GELU adds 1 to it, which loses more.
    """
    a = abs(x)
    a = choose(a.compare(">", ERF_HIGH), ERF_HIGH, a)
    above, below = (horner(a * a, part) for part in c.ERF)
    y = a * above / below
    return choose(y.compare(">", 1.0), 1.0, y).with_sign_of(x)


def erfc(x: Number) -> Number:
    """Error below 0.6 ulp; in binary64, where x x is exact."""
    d = choose(abs(x).compare(">", ERFC_HIGH), ERFC_HIGH, abs(x)).to_double()
    t = (d - ERFC_CENTRE) / (d + ERFC_CENTRE)
    tail = exp2_double(d * d * -c.LOG2_E_DOUBLE) * polynomial(t, c.ERFC_DOUBLE)
    return choose(x.compare("<", 0.0), 2.0 - tail, tail).to_single()
