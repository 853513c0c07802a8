"""Functions of `math` on the processor against binary64, over the whole range of binary32.

Every 4096th number is tried, from an offset that differs by function, and the numbers around
each place where a formula changes. Errors are in ulp: the distance of two binary32 numbers at the
exact result. A wrong sign (also of zero), a NaN or an infinity out of place is an infinite error.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from bellrock.compiler import compile_payload
from bellrock.ingress.mlir_text import load_mlir
from bellrock.runtime.executable import Executable, load

NOTE = Path(__file__).parents[3] / "docs/design/0009-vector-math.md"
Single = NDArray[np.float32]
Double = NDArray[np.float64]

STRIDE = 4096
COUNT = 2**32 // STRIDE
NEAR = 64
LARGEST = float(np.finfo(np.float32).max)

FUNCTIONS: dict[str, tuple[float, Callable[[Double], Double]]] = {
    "acos": (1.2, np.arccos), "acosh": (0.6, np.arccosh), "asin": (1.5, np.arcsin),
    "asinh": (0.6, np.arcsinh), "atan": (2.0, np.arctan), "atanh": (0.6, np.arctanh),
    "cbrt": (0.6, np.cbrt), "cos": (1.6, np.cos), "cosh": (1.6, np.cosh), "erf": (1.7, special.erf),
    "erfc": (0.6, special.erfc), "exp": (1.1, np.exp), "exp2": (1.1, np.exp2),
    "expm1": (1.6, np.expm1), "log": (1.1, np.log), "log10": (1.1, np.log10),
    "log1p": (1.6, np.log1p), "log2": (1.1, np.log2), "rsqrt": (1.6, lambda x: 1 / np.sqrt(x)),
    "sin": (1.6, np.sin), "sinh": (1.7, np.sinh), "sqrt": (0.51, np.sqrt), "tan": (0.6, np.tan),
    "tanh": (1.4, np.tanh),
}  # fmt: skip
"""Bound in ulp, and the function in binary64."""

OF_TWO = {"powf": 0.6, "atan2": 2.2}
PRODUCT = 4.0
"""Of a whole power up to 6; other powers are as `powf` of two arguments."""
UNLISTED = {"sqrt"}
"""Whose rounding is the processor's."""

TURNING = (
    0.0, 2.0**-149, 2.0**-126, 2.0**-25, 2.0**-13, 0.575, 0.625, 2.0**-0.5, 1.0, 1.15, 1.18,
    2.0**0.5, 3.59, 3.92, 3.925, 9.01, 10.0, 10.06, 10.25, 17.33, 18.0, 86.99, 87.34, 88.38, 88.722,
    89.0, 89.416, 90.0, 103.28, 103.97, 104.0, 126.0, 127.5, 128.0, 129.0, 149.0, 150.0, 151.0,
    2.0**23, 2.0**25, 2.0**50, 2.0**76, 2.0**102, LARGEST, *(k * np.pi / 2 for k in range(1, 65)),
)  # fmt: skip


def single(numbers: Sequence[float]) -> Single:
    return np.array(numbers, np.float32)


def module(op: str, dtype: str, operands: int, count: int, body: str = "") -> str:
    """Return a function that applies an op to each element."""
    tensor = f"tensor<{count}x{dtype}>"
    names = [f"a{i}" for i in range(operands)]
    identity = ", ".join(["affine_map<(i) -> (i)>"] * (operands + 1))
    values = ", ".join(f"%v{n}" for n in names)
    return f"""
func.func @main({", ".join(f"%{n}: {tensor}" for n in names)}) -> {tensor} {{
  %empty = tensor.empty() : {tensor}
  %y = linalg.generic {{indexing_maps = [{identity}], iterator_types = ["parallel"]}}
      ins({", ".join(f"%{n}" for n in names)} : {", ".join([tensor] * operands)})
      outs(%empty : {tensor}) {{
  ^bb0({", ".join(f"%v{n}: {dtype}" for n in names)}, %old: {dtype}):
    {body or f"%r = math.{op} {values} : {dtype}"}
    linalg.yield %r : {dtype}
  }} -> {tensor}
  return %y : {tensor}
}}"""


def compiled(text: str) -> Executable:
    program = compile_payload(load_mlir(text, name="vector_math"), use_cache=False)
    assert all(kernel.vectorised for kernel in program.kernels)
    return load(program)


def samples(name: str) -> Single:
    offset = zlib.crc32(name.encode()) % STRIDE
    spread = np.arange(COUNT, dtype=np.uint32) * np.uint32(STRIDE) + np.uint32(offset)
    centres = np.array([*TURNING, np.inf], np.float32).view(np.uint32).astype(np.int64)
    near = (centres[:, None] + np.arange(-NEAR, NEAR + 1)).ravel()
    both = np.concatenate([near, near + 2**31]) % 2**32
    return np.concatenate([spread, both.astype(np.uint32)]).view(np.float32)


def ulps(found: Single, exact: Double) -> Double:
    """Return the errors in ulp."""
    with np.errstate(all="ignore"):
        exponent = np.frexp(np.clip(np.abs(exact), 2.0**-126, LARGEST))[1] - 1
        unit = np.ldexp(1.0, exponent - 23)
        error = np.abs(found.astype(np.float64) - exact) / unit
        rounded = exact.astype(np.float32)
    same = found == rounded
    error[same] = np.fmin(error[same], 0.5)
    # Around the largest number, infinity counts as the number that would follow.
    edge = (np.isinf(found) != np.isinf(rounded)) & (np.abs(exact) > LARGEST * (1 - 2.0**-22))
    error[edge & (np.abs(exact) < LARGEST * (1 + 2.0**-22))] = 1.0
    error[np.isnan(error) | (np.signbit(found) != np.signbit(exact))] = np.inf
    error[np.isnan(found) & np.isnan(exact)] = 0.0
    return error


def judge(bound: float, found: Single, exact: Double, *inputs: Single) -> None:
    error = ulps(found, exact)
    worst = int(np.argmax(error))
    at = [float(x[worst]) for x in inputs]
    assert error[worst] <= bound, f"{error[worst]} ulp at {at}: {found[worst]}, {exact[worst]}"


def test_the_measure_sees_what_it_should() -> None:
    one = np.ones(1)
    assert ulps(single([1 + 2.0**-22]), one) == [2.0]
    assert ulps(single([-0.0]), 0 * one) == [np.inf]
    assert ulps(single([0.0]), one * 2.0**-149) == [1.0]
    assert ulps(single([np.inf]), one) == [np.inf]
    assert ulps(single([np.nan]), one) == [np.inf]
    assert ulps(single([0.0]), one * np.nan) == [np.inf]


def test_the_documented_bounds_are_those_that_are_held() -> None:
    table = re.findall(r"^\| (?!-|functions)(.*) \| ([0-9.]+) \|$", NOTE.read_text(), re.MULTILINE)
    documented = {name: float(bound) for names, bound in table for name in names.split(", ")}
    held = {name: bound for name, (bound, _) in FUNCTIONS.items() if name not in UNLISTED}
    assert documented == held | {
        "atan2": OF_TWO["atan2"],
        "pow with any exponent": OF_TWO["powf"],
        "pow with a whole exponent up to 6 (products)": PRODUCT,
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_over_all_numbers(name: str) -> None:
    bound, function = FUNCTIONS[name]
    x = samples(name)
    (found,) = compiled(module(name, "f32", 1, len(x)))([x])
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64))
    judge(bound, np.asarray(found), exact, x)


def hardest_angles() -> Single:
    """Return the numbers of 24 bits that are nearest to multiples of pi / 2."""
    found: list[float] = []
    with mpmath.workdps(120):
        for exponent in range(-20, 105):
            rest, before, last = mpmath.mpf(2) ** exponent * 2 / mpmath.pi, 0, 1
            while last < 2**24:  # denominators of the continued fraction's convergents
                rest = 1 / (rest - mpmath.floor(rest))
                found.append(float(mpmath.ldexp(last, exponent)))
                before, last = last, int(mpmath.floor(rest)) * last + before
    return single(found)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_next_to_multiples_of_a_quarter_turn(name: str) -> None:
    x = hardest_angles()
    assert len(x) > 1000
    (found,) = compiled(module(name, "f32", 1, len(x)))([x])
    with mpmath.workdps(80):
        exact = np.array([float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in x])
    judge(FUNCTIONS[name][0], np.asarray(found), exact, x)


SPECIAL = single(
    [0, 2.0**-149, 2.0**-126, 1e-3, 0.5, 1 - 2.0**-24, 1, 1 + 2.0**-23, 1.5, 2, 3, 4, 126, 127, 128,
     149, 150, 2.0**23 + 1, 2.0**24, 2.0**24 + 2, 1e30, LARGEST, np.inf, np.nan]
)  # fmt: skip


def pairs(seed: int) -> tuple[Single, Single]:
    """Return special numbers, random bits, arguments of moderate powers, and near equals."""
    rng = np.random.default_rng(seed)
    both = np.concatenate([SPECIAL, -SPECIAL])
    x, y = (m.ravel() for m in np.meshgrid(both, both))
    bits = rng.integers(0, 2**32, (2, 2**18), dtype=np.uint64).astype(np.uint32).view(np.float32)
    base = np.exp(rng.uniform(-80, 80, 2**18) * rng.random(2**18) ** 4).astype(np.float32)
    with np.errstate(all="ignore"):
        exponent = (rng.uniform(-104, 90, 2**18) / np.log(base.astype(np.float64))).astype(
            np.float32
        )
    small = rng.uniform(-10, 10, 2**18).astype(np.float32)
    whole = rng.integers(-20, 20, 2**18).astype(np.float32)
    close = (small * rng.uniform(0.5, 2, 2**18)).astype(np.float32)
    return (
        np.concatenate([x, bits[0], base, small, small]),
        np.concatenate([y, bits[1], exponent, whole, close]),
    )


@pytest.mark.parametrize("name", OF_TWO)
def test_a_function_of_two(name: str) -> None:
    bound = OF_TWO[name]
    x, y = pairs(0)
    (found,) = compiled(module(name, "f32", 2, len(x)))([x, y])
    function = np.power if name == "powf" else np.arctan2
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64), y.astype(np.float64))
    judge(bound, np.asarray(found), exact, x, y)


@pytest.mark.parametrize("exponent", [1, 2, 3, 5, 6, 7, -1, -2, 0.5, 2.5])
def test_a_power_that_is_known(exponent: float) -> None:
    x = samples("powf")[::4]
    body = f"%e = arith.constant {float(exponent)} : f32\n    %r = math.powf %va0, %e : f32"
    (found,) = compiled(module("", "f32", 1, len(x), body))([x])
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), np.full(len(x), float(exponent)))
    bound = PRODUCT if exponent in range(1, 7) else OF_TWO["powf"]
    judge(bound, np.asarray(found), exact, x)


@pytest.mark.parametrize("exponent", [3, 7, -2])
def test_a_whole_power_that_is_known(exponent: int) -> None:
    x = samples("powf")[::16]
    body = f"%e = arith.constant {exponent} : i64\n    %r = math.fpowi %va0, %e : f32, i64"
    (found,) = compiled(module("", "f32", 1, len(x), body))([x])
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), np.full(len(x), float(exponent)))
    bound = PRODUCT if exponent in range(1, 7) else OF_TWO["powf"]
    judge(bound, np.asarray(found), exact, x)


def test_a_power_of_two() -> None:
    x = samples("exp2")
    body = "%b = arith.constant 2.0 : f32\n    %r = math.powf %b, %va0 : f32"
    (found,) = compiled(module("", "f32", 1, len(x), body))([x])
    with np.errstate(all="ignore"):
        judge(1.1, np.asarray(found), np.exp2(x.astype(np.float64)), x)


@pytest.mark.parametrize("name", ["exp", "log1p", "cos"])
@pytest.mark.parametrize(("dtype", "bits"), [("f16", 11), ("bf16", 8)])
def test_a_narrow_type_rounds_once(name: str, dtype: str, bits: int) -> None:
    import torch

    kind = torch.float16 if dtype == "f16" else torch.bfloat16
    x = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(kind)
    (found,) = compiled(module(name, dtype, 1, len(x)))([x])
    exact = getattr(torch, name)(x.double())
    rounded = exact.to(kind)
    # Rounding to binary32 first may fall on a tie: then the other neighbour is as good.
    scale = torch.maximum(exact.abs(), rounded.abs().double()) * 2.0**-bits
    near = (found.double() - exact).abs() <= scale * 1.001
    same = (found == rounded) | (found.isnan() & rounded.isnan())
    # x86's conversion to bf16 makes numbers below the smallest normal one zero.
    flushed = (exact.abs() < 2.0**-126) & (found == 0) & (dtype == "bf16")
    assert bool((same | near | flushed).all())
    assert int((~same & ~flushed).sum()) < 32


CALLS = ("exp", "log", "pow", "sin", "cos", "tan", "erf", "hypot", "cbrt", "fma")


def calls_of(text: str) -> list[str]:
    """Return the functions of the C library that a program's code names."""
    code = b"".join(
        compile_payload(load_mlir(text, name="vector_math"), use_cache=False).artifact.objects
    )
    names = [bytes(a) for a in code.split(b"\0")]
    return [n.decode() for n in names if n.isalnum() and any(c.encode() in n for c in CALLS)]


def test_no_calls_are_left() -> None:
    unary = "\n    ".join(
        f"%{name}_ = math.{name} {'%va0' if i == 0 else f'%{last}_'} : f32"
        for i, (last, name) in enumerate(pairwise(["", *FUNCTIONS]))
    )
    body = f"{unary}\n    %p = math.powf %tanh_, %va0 : f32\n    %r = math.atan2 %p, %va0 : f32"
    assert calls_of(module("", "f32", 1, 64, body)) == []
    # Binary64 stays a call, and is seen as one.
    assert calls_of(module("exp", "f64", 1, 64)) == ["exp"]
