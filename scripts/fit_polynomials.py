"""Fits the polynomials of the vector math functions and prints their constants as Python.

    python scripts/fit_polynomials.py > src/bellrock/dialects/vector_math/coefficients.py

Method: a minimax fit by Lawson's iteration, on weights that make the error relative to the
function's value; functions are evaluated in 50 digits. Coefficients are rounded one by one, from
the constant up, and the rest is fitted again to what rounding left. Needs mpmath, which torch
brings.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np

mp.mp.dps = 50
GRID = 300
ROUNDS = 60
NEAR_ZERO = 1e-9
Function = Callable[[mp.mpf], mp.mpf]


@dataclass(frozen=True)
class Fit:
    """One polynomial in `x` that stands for `function` on an interval."""

    name: str
    function: Function
    """What the polynomial approximates."""
    scale: Function
    """Error of the polynomial times this is the error that counts."""
    low: float
    high: float
    count: int
    """Coefficients."""
    bits: int
    """Of a coefficient: 24 or 53."""
    about: str


def f32(value: mp.mpf) -> float:
    """Return the nearest binary32 number."""
    return struct.unpack("<f", struct.pack("<f", float(value)))[0]


def rounded(value: mp.mpf, bits: int) -> float:
    """Return the nearest number of a format."""
    return f32(value) if bits == 24 else float(value)


def head(value: mp.mpf, bits: int) -> float:
    """Return a value cut to so many bits, so that its products with small integers are exact."""
    exponent = mp.floor(mp.log(abs(value), 2)) + 1
    unit = mp.mpf(2) ** (exponent - bits)
    return float(mp.floor(value / unit) * unit)


def solve(fit: Fit, fixed: list[float]) -> list[float]:
    """Return the coefficients that follow the fixed ones, by Lawson's iteration.

    It solves least squares on a Chebyshev grid again and again, and each time multiplies the
    weights by the errors that were left: where the error is large it counts more, until it is even.
    """
    low, high = mp.mpf(fit.low), mp.mpf(fit.high)
    middle, half = (low + high) / 2, (high - low) / 2
    grid = [middle - half * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / GRID) for i in range(GRID)]
    scales = np.array([float(abs(fit.scale(x))) for x in grid])
    wanted = [float(fit.function(x) - mp.polyval(fixed[::-1] or [0], x)) for x in grid]
    powers = range(len(fixed), fit.count)
    basis = np.array([[float(x**p) for p in powers] for x in grid]) * scales[:, None]
    lengths = np.linalg.norm(basis, axis=0)
    target = np.array(wanted) * scales
    weights = np.ones(GRID)
    best, least = np.zeros(len(lengths)), np.inf
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        found = np.linalg.lstsq(basis / lengths * root[:, None], target * root, rcond=None)[0]
        errors = np.abs(target - basis @ (found / lengths))
        if errors.max() < least:
            best, least = found / lengths, errors.max()
        weights *= errors + 1e-3 * errors.max()
        weights /= weights.sum()
    return [float(c) for c in best]


def fitted(fit: Fit) -> tuple[list[float], mp.mpf]:
    """Return rounded coefficients from the constant up, and the largest error with them."""
    fixed: list[float] = []
    while len(fixed) < fit.count:
        fixed.append(rounded(mp.mpf(solve(fit, fixed)[0]), fit.bits))
    low, high = mp.mpf(fit.low), mp.mpf(fit.high)
    points = [low + (high - low) * i / 1000 for i in range(1001)]
    errors = [
        abs((fit.function(x) - mp.polyval(fixed[::-1], x)) * fit.scale(x))
        for x in points
        if abs(x) > NEAR_ZERO
    ]
    return fixed, max(errors)


SINGLE, DOUBLE = 24, 53
HALF_LN2 = float(mp.log(2) / 2) * 1.0001
ROOT_LOW, ROOT_HIGH = float(mp.sqrt(0.5)) - 1, float(mp.sqrt(2)) - 1
REDUCED = float(mp.pi / 4) * 1.25
"""What a reduced angle can grow to when the constant's tail is added."""


def of_square(function: Function) -> Function:
    """Return z -> function(sqrt(z))."""
    return lambda z: function(mp.sqrt(z))


def odd_remainder(function: Function) -> tuple[Function, Function]:
    """Return p and its scale for function(x) = x + x z p(z), z = x x; error relative."""
    return (
        of_square(lambda x: (function(x) - x) / x**3),
        of_square(lambda x: x**3 / function(x)),
    )


def log_fit(name: str, base: mp.mpf, count: int, about: str) -> Fit:
    """Return q of log(1 + f) = f / ln(base) + f f q(f) on one binade around 1."""
    factor = 1 / mp.log(base)
    return Fit(
        name,
        lambda f: (mp.log1p(f) - f) * factor / (f * f),
        lambda f: f * f / (mp.log1p(f) * factor),
        ROOT_LOW, ROOT_HIGH, count, SINGLE, about,
    )  # fmt: skip


def erfc_scaled(t: mp.mpf) -> mp.mpf:
    """Return exp(x x) erfc(x) of t = (x - 3) / (x + 3)."""
    x = 3 * (1 + t) / (1 - t)
    return mp.exp(x * x) * mp.erfc(x)


FITS = [
    Fit("EXP", lambda r: (mp.expm1(r) - r) / r**2, lambda r: r**2 / mp.exp(r),
        -HALF_LN2, HALF_LN2, 5, SINGLE, "exp(r) = 1 + r + r r p(r)"),
    Fit("EXPM1", lambda r: (mp.expm1(r) - r) / r**2, lambda r: r**2 / mp.expm1(r),
        -HALF_LN2, HALF_LN2, 6, SINGLE, "exp(r) - 1 = r + r r p(r)"),
    Fit("EXP2", lambda r: (mp.power(2, r) - 1) / r, lambda r: r / mp.power(2, r),
        -0.5001, 0.5001, 6, SINGLE, "2**r = 1 + r p(r)"),
    log_fit("LOG", mp.e, 9, "log(1 + f) = f + f f p(f)"),
    log_fit("LOG2", mp.mpf(2), 9, "log2(1 + f) = f / ln(2) + f f p(f)"),
    log_fit("LOG10", mp.mpf(10), 9, "log10(1 + f) = f / ln(10) + f f p(f)"),
    Fit("TANH", *odd_remainder(mp.tanh), 0, 0.625**2, 5, SINGLE,
        "tanh(x) = x + x z p(z), z = x x, up to x = 0.625"),
    Fit("SINH", *odd_remainder(mp.sinh), 0, 1, 4, SINGLE,
        "sinh(x) = x + x z p(z), z = x x, up to x = 1"),
    Fit("SIN", *odd_remainder(mp.sin), 0, REDUCED**2, 4, SINGLE,
        "sin(x) = x + x z p(z), z = x x, up to x = pi / 4 and a quarter more"),
    Fit("COS", of_square(lambda x: (mp.cos(x) - 1) / x**2), of_square(lambda x: x**2 / mp.cos(x)),
        0, REDUCED**2, 4, SINGLE, "cos(x) = 1 + z p(z), z = x x, up to the same"),
    Fit("ASIN", *odd_remainder(mp.asin), 0, 0.58**2, 7, SINGLE,
        "asin(x) = x + x z p(z), z = x x, up to x = 0.58"),
    Fit("ATAN", *odd_remainder(mp.atan), 0, 1, 9, SINGLE,
        "atan(x) = x + x z p(z), z = x x, up to x = 1"),
    Fit("TAN", of_square(lambda x: mp.tan(x) / x), of_square(lambda x: x / mp.tan(x)),
        0, REDUCED**2, 10, DOUBLE, "tan(x) = x p(z), z = x x, up to the same; binary64"),
    Fit("LOG2_DOUBLE", lambda f: mp.log(1 + f, 2) / f, lambda f: f / mp.log(1 + f, 2),
        ROOT_LOW, ROOT_HIGH, 13, DOUBLE, "log2(1 + f) = f p(f); binary64"),
    Fit("EXP2_DOUBLE", lambda r: mp.power(2, r), lambda r: mp.power(2, -r),
        -0.5001, 0.5001, 7, DOUBLE, "2**r; binary64"),
    Fit("ERFC_DOUBLE", erfc_scaled, lambda t: 1 / erfc_scaled(t),
        -1, 0.55, 12, DOUBLE,
        "erfc(x) = exp(-x x) p(t), t = (x - 3) / (x + 3), x up to 10.3; binary64"),
    Fit("ERF", of_square(lambda x: mp.erf(x) / x - 1), of_square(lambda x: x / mp.erf(x)),
        0, 1.15**2, 7, SINGLE, "erf(x) = x + x p(z), z = x x, up to x = 1.15"),
    Fit("ERF_TAIL", lambda x: mp.root(mp.erfc(x), 8),
        lambda x: 8 * mp.root(mp.erfc(x), 8)**7 / mp.erf(x),
        1.15, 3.95, 7, SINGLE, "erf(x) = 1 - p(x)**8, from x = 1.15 to 3.95"),
]  # fmt: skip

LN2, PI = mp.log(2), mp.pi
CONSTANTS = [
    ("LOG2_E", f32(1 / LN2), "1 / ln(2)"),
    ("LN2_HEAD", head(LN2, 16), "ln(2), 16 bits: times an exponent it is exact"),
    ("LN2_TAIL", f32(LN2 - head(LN2, 16)), "what is left of ln(2)"),
    ("LOG2_E_TAIL", f32(1 / LN2 - f32(1 / LN2)), "what is left of 1 / ln(2)"),
    ("LOG10_E", f32(1 / mp.log(10)), "1 / ln(10)"),
    ("LOG10_E_TAIL", f32(1 / mp.log(10) - f32(1 / mp.log(10))), "what is left of it"),
    ("LOG10_2_HEAD", head(mp.log10(2), 16), "log10(2), 16 bits"),
    ("LOG10_2_TAIL", f32(mp.log10(2) - head(mp.log10(2), 16)), "what is left of it"),
    ("HALF_PI", f32(PI / 2), "pi / 2"),
    ("HALF_PI_TAIL", f32(PI / 2 - f32(PI / 2)), "what is left of it"),
    ("HALF_PI_DOUBLE", float(PI / 2), "pi / 2 in binary64"),
    ("LN2_DOUBLE", float(LN2), "ln(2) in binary64"),
    ("LOG2_E_DOUBLE", float(1 / LN2), "1 / ln(2) in binary64"),
]

SHIFTS = (0, 26, 52, 78)


def inverse_quarters() -> list[tuple[float, float]]:
    """Return (head, tail) of 2**-s (2**s 2 / pi modulo 4) for each shift s.

    For a multiple of 2**s the part of 2 / pi that is left out gives whole turns.
    """
    parts = []
    with mp.workprec(400):
        for s in SHIFTS:
            value = mp.mpf(2) ** s * 2 / mp.pi
            value -= 4 * mp.nint(value / 4) if s else 0
            value /= mp.mpf(2) ** s
            first = float(value)
            parts.append((first, float(value - first)))
    return parts


def main() -> None:
    """Fit everything and print it."""
    print('"""Constants of the vector math functions. Written by scripts/fit_polynomials.py.')
    print()
    print("Polynomials are listed from the constant coefficient up.")
    print('"""')
    print()
    for name, value, about in CONSTANTS:
        print(f'{name} = float.fromhex("{value.hex()}")\n"""{about}"""')
    print("\nINVERSE_QUARTER = (")
    for first, second in inverse_quarters():
        print(f'    (float.fromhex("{first.hex()}"), float.fromhex("{second.hex()}")),')
    print(")")
    print('"""2 / pi modulo 4 / 2**s, as head and tail in binary64, for s = 0, 26, 52, 78"""')
    for fit in FITS:
        coefficients, error = fitted(fit)
        print(f"\n{fit.name} = (")
        for value in coefficients:
            print(f'    float.fromhex("{value.hex()}"),')
        print(")")
        print(f'"""{fit.about}; error 2**{float(mp.log(error, 2)):.1f}"""')


if __name__ == "__main__":
    main()
