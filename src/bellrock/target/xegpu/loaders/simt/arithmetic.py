"""What the arithmetic ops of the LLVM dialect compute, on the values of all work-items.

Flows in: an op. Flows out: a function of its operands' values. Work-items that are not active are
computed along; what comes out for them is not used, so that divisions by zero there are no fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bellrock.errors import DeviceError
from bellrock.target.xegpu.loaders.simt.types import (
    Array,
    Plain,
    Type,
    type_of,
    unsigned,
    widen_bf16,
)
from bellrock.target.xegpu.tables import round_to_bf16

Compute = Callable[..., Any]
"""Of the frame and the operands' values."""


def _divide(a: Array, b: Array) -> Array:
    """Divide, rounded towards zero."""
    quotient = np.floor_divide(a, b)
    return quotient + ((np.remainder(a, b) != 0) & ((a < 0) != (b < 0)))


def _shifted(shift: Compute) -> Compute:
    """Shift by amounts up to the width; numpy would take them as signed."""
    return lambda a, b: shift(unsigned(a), unsigned(b)).view(a.dtype)


def _fma(a: Array, b: Array, c: Array) -> Array:
    """Multiply and add with one rounding, as far as a type of twice the precision shows it."""
    wide = {2: np.float32, 4: np.float64}.get(a.dtype.itemsize)
    if wide is None:
        return a * b + c
    return (a.astype(wide) * b.astype(wide) + c.astype(wide)).astype(a.dtype)


def _through_unsigned(compute: Compute) -> Compute:
    return lambda *a: compute(*(unsigned(x) for x in a)).view(a[0].dtype)


def _maximum(a: Array, b: Array) -> Array:
    return np.maximum(a, b)  # numpy's passes NaN on, as this op does


def _round_half_away(a: Array) -> Array:
    return (np.sign(a) * np.floor(np.abs(a) + a.dtype.type(0.5))).astype(a.dtype)


def _count_leading(a: Array) -> Array:
    bits = 8 * a.dtype.itemsize
    whole = unsigned(a).astype(np.uint64)
    length = np.sum([(whole >> np.uint64(i)) != 0 for i in range(bits)], axis=0)
    return (bits - length).astype(a.dtype)


def _count_set(a: Array) -> Array:
    whole, bits = unsigned(a), 8 * a.dtype.itemsize
    one = whole.dtype.type(1)
    return np.sum([(whole >> whole.dtype.type(i)) & one for i in range(bits)], axis=0).astype(
        a.dtype
    )


_INTEGER: dict[str, Compute] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply,
    "sdiv": _divide, "srem": np.fmod,
    "udiv": _through_unsigned(np.floor_divide), "urem": _through_unsigned(np.remainder),
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "shl": _shifted(np.left_shift), "lshr": _shifted(np.right_shift),
    "ashr": lambda a, b: np.right_shift(a, np.minimum(b, 8 * a.dtype.itemsize - 1)),
    "intr.smax": np.maximum, "intr.smin": np.minimum,
    "intr.umax": _through_unsigned(np.maximum), "intr.umin": _through_unsigned(np.minimum),
    "intr.abs": np.abs, "intr.ctlz": _count_leading, "intr.ctpop": _count_set,
}  # fmt: skip
_BITS: dict[str, Compute] = {
    "add": np.bitwise_xor, "sub": np.bitwise_xor, "mul": np.bitwise_and,
    "intr.smax": np.bitwise_and, "intr.smin": np.bitwise_or,
}  # fmt: skip
"""Of integers of one bit, whose values are 0 and -1."""
_FLOAT: dict[str, Compute] = {
    "fadd": np.add, "fsub": np.subtract, "fmul": np.multiply, "fdiv": np.divide, "frem": np.fmod,
    "fneg": np.negative, "intr.fma": _fma, "intr.fmuladd": _fma,
    "intr.maxnum": np.fmax, "intr.minnum": np.fmin,
    "intr.maximumnum": np.fmax, "intr.minimumnum": np.fmin,
    "intr.maximum": _maximum, "intr.minimum": np.minimum,
    "intr.fabs": np.abs, "intr.sqrt": np.sqrt, "intr.exp": np.exp, "intr.exp2": np.exp2,
    "intr.log": np.log, "intr.log2": np.log2, "intr.log10": np.log10, "intr.sin": np.sin,
    "intr.cos": np.cos, "intr.tan": np.tan, "intr.tanh": np.tanh, "intr.pow": np.power,
    "intr.floor": np.floor, "intr.ceil": np.ceil, "intr.trunc": np.trunc,
    "intr.rint": np.rint, "intr.nearbyint": np.rint, "intr.roundeven": np.rint,
    "intr.round": _round_half_away, "intr.copysign": np.copysign,
}  # fmt: skip
_REDUCTIONS: dict[str, Compute] = {
    "add": np.add.reduce, "mul": np.multiply.reduce, "and": np.bitwise_and.reduce,
    "or": np.bitwise_or.reduce, "xor": np.bitwise_xor.reduce, "smax": np.maximum.reduce,
    "smin": np.minimum.reduce, "fmax": np.fmax.reduce, "fmin": np.fmin.reduce,
    "fmaximum": np.maximum.reduce, "fminimum": np.minimum.reduce,
}  # fmt: skip
_ORDERED: tuple[Compute, ...] = (
    np.equal, np.greater, np.greater_equal, np.less, np.less_equal, np.not_equal
)  # fmt: skip
_INTEGER_PREDICATES: tuple[Compute, ...] = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    *(
        lambda a, b, compare=compare: compare(unsigned(a), unsigned(b))
        for compare in (np.less, np.less_equal, np.greater, np.greater_equal)
    ),
)  # fmt: skip


def arithmetic(op: Any, name: str) -> Compute | None:
    """Return what an op computes; None if it is not arithmetic.

    Args:
        op: of the LLVM dialect.
        name: its name without the dialect's.
    """
    if name in _INTEGER:
        compute = _INTEGER[name]
        if _plain(op.results[0].type).dtype == np.bool_:
            compute = _BITS.get(name, compute)
        if name in {"intr.abs", "intr.ctlz"}:
            return lambda frame, a: compute(a)
        return lambda frame, *a: compute(*a)
    if name in _FLOAT:
        return floating(_FLOAT[name], _plain(op.results[0].type))
    if name.startswith("intr.vector.reduce."):
        return _reduction(op, name.removeprefix("intr.vector.reduce."))
    rule = _RULES.get(name)
    return rule(op) if rule else None


def floating(compute: Compute, kind: Plain) -> Compute:
    """Return a function on floating-point values; of bf16 by way of f32."""
    if kind.is_bf16:
        return lambda frame, *a: round_to_bf16(compute(*(widen_bf16(x) for x in a)))
    dtype = kind.dtype
    return lambda frame, *a: compute(*a).astype(dtype, copy=False)


def _plain(type_: Any) -> Plain:
    kind: Type = type_of(type_)
    if not isinstance(kind, Plain):
        raise DeviceError("the interpreter computes with numbers only", got=str(type_))
    return kind


def _reduction(op: Any, name: str) -> Compute:
    kind = _plain(op.results[0].type)
    if name in {"fadd", "fmul"}:  # in order, from a start value on
        step = np.add if name == "fadd" else np.multiply

        def fold(start: Array, vector: Array) -> Array:
            for i in range(vector.shape[1]):
                start = step(start, vector[:, i])
            return start

        return floating(fold, kind)
    if name in {"umax", "umin"}:
        reduce = np.maximum.reduce if name == "umax" else np.minimum.reduce
        return lambda frame, v: reduce(unsigned(v), axis=1).view(v.dtype)
    reduce = _REDUCTIONS[name]
    return floating(lambda v: reduce(v, axis=1), kind)


def _compare_integers(op: Any) -> Compute:
    compare = _INTEGER_PREDICATES[op.attributes["predicate"].value]
    return lambda frame, a, b: compare(a, b)


def _compare_floats(op: Any) -> Compute:
    predicate = op.attributes["predicate"].value
    bf16 = _plain(op.operands[0].type).is_bf16

    def compute(frame: Any, a: Array, b: Array) -> Array:
        if bf16:
            a, b = widen_bf16(a), widen_bf16(b)
        unordered = np.isnan(a) | np.isnan(b)
        if predicate in {0, 15}:
            return np.full(unordered.shape, predicate == 15)
        if predicate in {7, 14}:
            return unordered if predicate == 14 else ~unordered
        if predicate < 7:  # ordered
            return _ORDERED[predicate - 1](a, b) & ~unordered
        return _ORDERED[predicate - 8](a, b) | unordered

    return compute


def _select(op: Any) -> Compute:
    def choose(c: Array, a: Any, b: Any) -> Any:
        if isinstance(a, tuple):
            return tuple(choose(c, x, y) for x, y in zip(a, b, strict=True))
        return np.where(c[:, None] if c.ndim < a.ndim else c, a, b)

    return lambda frame, c, a, b: choose(c, a, b)


def _convert(op: Any) -> Compute:
    kind, given = _plain(op.results[0].type), _plain(op.operands[0].type)
    if given.is_bf16:
        return lambda frame, a: widen_bf16(a).astype(kind.dtype)
    if kind.is_bf16:
        return lambda frame, a: round_to_bf16(a.astype(np.float32))
    return lambda frame, a: a.astype(kind.dtype)


def _truncate(op: Any) -> Compute:
    kind = _plain(op.results[0].type)
    if kind.dtype == np.bool_:
        return lambda frame, a: a & 1 != 0
    return lambda frame, a: a.astype(kind.dtype)


def _sign_extend(op: Any) -> Compute:
    kind = _plain(op.results[0].type)
    return lambda frame, a: -a.astype(kind.dtype) if a.dtype == np.bool_ else a.astype(kind.dtype)


def _from_unsigned(op: Any) -> Compute:
    convert = _convert(op) if _plain(op.results[0].type).is_bf16 else None
    dtype = _plain(op.results[0].type).dtype
    if convert:
        return lambda frame, a: convert(frame, unsigned(a))
    return lambda frame, a: unsigned(a).astype(dtype)


def _to_unsigned(op: Any) -> Compute:
    dtype = _plain(op.results[0].type).dtype
    target = np.dtype(dtype.str.replace("i", "u"))
    return lambda frame, a: a.astype(target).view(dtype)


def _bitcast(op: Any) -> Compute:
    kind = _plain(op.results[0].type)

    def compute(frame: Any, a: Array) -> Array:
        raw = np.ascontiguousarray(a).reshape(len(a), -1).view(kind.dtype)
        return raw if kind.count else raw[:, 0]

    return compute


def _is_class(op: Any) -> Compute:
    bits = op.attributes["bit"].value

    def compute(frame: Any, a: Array) -> Array:
        tiny = np.abs(a) < np.finfo(a.dtype).tiny
        negative = np.signbit(a)
        classes = (
            np.isnan(a), np.isnan(a), np.isneginf(a),
            negative & np.isfinite(a) & ~tiny, negative & tiny & (a != 0), negative & (a == 0),
            ~negative & (a == 0), ~negative & tiny & (a != 0), ~negative & np.isfinite(a) & ~tiny,
            np.isposinf(a),
        )  # fmt: skip
        chosen = [c for i, c in enumerate(classes) if bits >> i & 1]
        return np.logical_or.reduce(chosen) if chosen else np.zeros(len(a), bool)

    return compute


def _power(op: Any) -> Compute:
    return floating(lambda a, n: np.power(a, n.astype(a.dtype)), _plain(op.results[0].type))


_RULES: dict[str, Callable[[Any], Compute]] = {
    "icmp": _compare_integers, "fcmp": _compare_floats, "select": _select,
    "fpext": _convert, "fptrunc": _convert, "sitofp": _convert, "fptosi": _convert,
    "uitofp": _from_unsigned, "zext": _from_unsigned, "fptoui": _to_unsigned,
    "trunc": _truncate, "sext": _sign_extend, "bitcast": _bitcast,
    "intr.is.fpclass": _is_class, "intr.powi": _power,
}  # fmt: skip
