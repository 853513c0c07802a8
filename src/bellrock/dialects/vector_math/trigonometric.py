"""sin, cos and tan.

Flows in: x in binary32. Flows out: the function, without a branch, for every x up to the largest.

|x| 2 / pi = n + f in binary64, by fused multiply-adds with a constant of two parts, so that f is
right even next to a whole n. For |x| from 2**50 on the constant is 2 / pi without the bits whose
product with x is a multiple of whole turns (Payne and Hanek's idea, in four steps of 26
binades). sin and cos of what is left are both computed, and n tells which one it is.
"""

from __future__ import annotations

from bellrock.dialects.vector_math import coefficients as c
from bellrock.dialects.vector_math.number import Number, choose, fma, polynomial

ROUNDER = 1.5 * 2.0**52
"""Adding it to a binary64 number rounds that to a whole one, found in the low bits."""
STEPS = (2.0**50, 2.0**76, 2.0**102)
"""From each of these on, the next of the constants is taken."""
SIGN = -(1 << 31)
SIGN_FROM_BIT_1 = 30


def sin(x: Number) -> Number:
    """Error below 1.6 ulp."""
    n, r = _reduced(abs(x))
    n = n.to_i32()
    return _of_quarter(n, r.to_single(), x.bits() ^ (n << SIGN_FROM_BIT_1))


def cos(x: Number) -> Number:
    """Error below 1.6 ulp: a sine, one quarter turn further."""
    n, r = _reduced(abs(x))
    n = n.to_i32() + 1
    return _of_quarter(n, r.to_single(), n << SIGN_FROM_BIT_1)


def tan(x: Number) -> Number:
    """Error below 0.6 ulp: in binary64 from end to end; at odd quarter turns -1 / tan."""
    n, r = _reduced(abs(x))
    t = polynomial(r * r, c.TAN) * r
    odd = _is_odd(n)
    result = (choose(odd, -1.0, t) / choose(odd, t, 1.0)).to_single()
    return (result.bits() ^ (x.bits() & SIGN)).as_float()


def _reduced(a: Number) -> tuple[Number, Number]:
    """Return n in the low bits of a 64-bit integer, and r in binary64: a = n pi / 2 + r."""
    double = a.to_double()
    head, tail = (double.constant(part) for part in c.INVERSE_QUARTER[0])
    for step, (next_head, next_tail) in zip(STEPS, c.INVERSE_QUARTER[1:], strict=True):
        beyond = a.compare(">=", step)
        head = choose(beyond, next_head, head)
        tail = choose(beyond, next_tail, tail)
    shifted = fma(double, head, ROUNDER)
    # The product has as many bits above its last one as the constant, and the difference fewer.
    exact = fma(double, head, ROUNDER - shifted)
    return shifted.bits(), fma(double, tail, exact) * c.HALF_PI_DOUBLE


def _of_quarter(n: Number, r: Number, sign: Number) -> Number:
    """Return sin(r), or cos(r) if n is odd; its sign changed by the highest bit of `sign`."""
    z = r * r
    sine = fma(polynomial(z, c.SIN) * z, r, r)
    cosine = fma(polynomial(z, c.COS), z, 1.0)
    result = choose(_is_odd(n), cosine, sine)
    return (result.bits() ^ (sign & SIGN)).as_float()


def _is_odd(n: Number) -> Number:
    return (n & 1).equals(1)
