"""Functions that device code calls and does not define: OpenCL's, under their mangled names.

Flows in: a symbol. Flows out: a function of the frame and the arguments' values; or that it is
a barrier, which the interpreter itself sees to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bellrock.errors import DeviceError
from bellrock.target.xegpu.builtins import (
    SUB_GROUP,
    BlockAccess,
    parse_builtin,
    split_symbol,
)
from bellrock.target.xegpu.loaders.simt.arithmetic import Compute
from bellrock.target.xegpu.loaders.simt.blocks import block_access, matrix_mad
from bellrock.target.xegpu.loaders.simt.frame import Frame
from bellrock.target.xegpu.loaders.simt.memory import AccessError
from bellrock.target.xegpu.loaders.simt.types import Array, Plain

_BARRIERS = frozenset({"barrier", "work_group_barrier", "__spirv_ControlBarrier"})
_NO_EFFECT = frozenset(
    {
        "prefetch",
        "atomic_work_item_fence",
        "mem_fence",
        "sub_group_barrier",
        "__spirv_MemoryBarrier",
    }
)
"""`sub_group_barrier`: the work-items of a sub-group are in step."""
_PREFIXES = ("__spirv_ocl_", "native_", "half_")
_BLOCK_WORDS = {"": 32, "ui": 32, "i": 32, "us": 16, "s": 16, "uc": 8, "c": 8, "ul": 64, "l": 64}


def is_barrier(symbol: str) -> bool:
    """Whether a function waits for all work-items of the work-group."""
    return split_symbol(symbol)[0] in _BARRIERS


def called(symbol: str, kind: Plain | None) -> Compute:
    """Return what a function computes.

    Args:
        symbol: mangled.
        kind: of its result; None if it has none.

    Raises:
        DeviceError: no such function is known.
    """
    builtin = parse_builtin(symbol)
    if builtin is not None:
        return block_access(builtin) if isinstance(builtin, BlockAccess) else matrix_mad(builtin)
    name = split_symbol(symbol)[0]
    if name in _NO_EFFECT:
        return lambda frame, *_: None
    if name.startswith("intel_sub_group_block_"):
        return _line_access(name.removeprefix("intel_sub_group_block_"), kind)
    name = name.removeprefix("intel_").removeprefix("__spirv_BuiltIn")
    if name in _QUERIES:
        return _queried(_QUERIES[name], kind)
    if name in _SUB_GROUP:
        return _SUB_GROUP[name]
    if name.startswith(("sub_group_reduce_", "sub_group_clustered_reduce_")):
        return _reduced(name.rpartition("_")[2])
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    if name in _MATHS and kind is not None:
        compute = _MATHS[name]
        return lambda frame, *a: compute(*a).astype(kind.dtype, copy=False)
    raise DeviceError("the interpreter knows no function of a name", got=symbol)


def _queried(query: Callable[..., Any], kind: Plain | None) -> Compute:
    dtype = np.dtype(np.int64) if kind is None else kind.dtype

    def compute(frame: Frame, *dimension: Array) -> Array:
        found = query(frame, int(dimension[0][0])) if dimension else query(frame)
        return np.atleast_1d(np.asarray(found)).astype(dtype)

    return compute


def _global_id(frame: Frame, dimension: int) -> Array:
    size = frame.group[dimension]
    return frame.group_ids[dimension] * size + frame.local_ids[dimension]


_QUERIES: dict[str, Callable[..., Any]] = {
    "get_global_id": _global_id,
    "get_local_id": lambda frame, d: frame.local_ids[d],
    "get_group_id": lambda frame, d: frame.group_ids[d],
    "get_local_size": lambda frame, d: frame.group[d],
    "get_num_groups": lambda frame, d: frame.grid[d],
    "get_global_size": lambda frame, d: frame.grid[d] * frame.group[d],
    "get_sub_group_id": lambda frame: frame.in_group // SUB_GROUP,
    "get_sub_group_local_id": lambda frame: frame.sub_lanes(),
    "get_sub_group_size": lambda frame: np.minimum(
        SUB_GROUP, frame.items - frame.in_group // SUB_GROUP * SUB_GROUP
    ),
    "get_max_sub_group_size": lambda frame: SUB_GROUP,
    "get_num_sub_groups": lambda frame: -(-frame.items // SUB_GROUP),
}


def _taken(frame: Frame, value: Array, source: Array) -> Array:
    """Return the value of another work-item of the sub-group, by its number there."""
    if len(value) == 1:
        return value
    from_lane = frame.lanes - frame.sub_lanes() + source.astype(np.int64) % SUB_GROUP
    from_lane = np.minimum(from_lane, len(value) - 1)
    if frame.mask is not None and not frame.mask[from_lane[frame.mask]].all():
        raise AccessError("a shuffle reads from a work-item that is not active")
    return value[from_lane]


def _shuffle_up(frame: Frame, value: Array, by: Array) -> Array:
    lanes = frame.sub_lanes()
    return _taken(frame, value, np.where(lanes < by, lanes, lanes - by))


def _shuffle_down(frame: Frame, value: Array, by: Array) -> Array:
    lanes = frame.sub_lanes()
    return _taken(frame, value, np.where(lanes + by >= SUB_GROUP, lanes, lanes + by))


_SUB_GROUP: dict[str, Compute] = {
    "sub_group_shuffle": _taken,
    "sub_group_shuffle_xor": lambda f, v, by: _taken(f, v, f.sub_lanes() ^ by),
    "sub_group_shuffle_up": _shuffle_up,
    "sub_group_shuffle_down": _shuffle_down,
    "sub_group_broadcast": _taken,
}

_REDUCE: dict[str, Any] = {"add": np.add, "mul": np.multiply, "min": np.fmin, "max": np.fmax}


def _reduced(operation: str) -> Compute:
    reduce = _REDUCE[operation]

    def compute(frame: Frame, value: Array, *_: Array) -> Array:
        frame.all_in_sub_groups()
        whole = np.broadcast_to(value, len(frame.lanes)).reshape(-1, SUB_GROUP)
        result = reduce.reduce(whole, axis=1).astype(value.dtype)
        return np.repeat(result, SUB_GROUP)

    return compute


def _line_access(rest: str, kind: Plain | None) -> Compute:
    """Read or write consecutive elements: element i of work-item w is the (16 i + w)-th."""
    action, _, word = rest.partition("_")
    letters, digits = word.rstrip("0123456789"), word.lstrip("abcdefghijklmnopqrstuvwxyz")
    bits, count = _BLOCK_WORDS[letters], int(digits or 1)

    def places(frame: Frame, base: Array) -> Array:
        frame.all_in_sub_groups()
        index = SUB_GROUP * np.arange(count)[None, :] + frame.sub_lanes()[:, None]
        return np.broadcast_to(base, len(frame.lanes))[:, None] + index * (bits // 8)

    def read(frame: Frame, base: Array) -> Array:
        at = places(frame, base)
        element = Plain(np.dtype(f"i{bits // 8}"), None)
        found = np.stack([frame.load(at[:, i], element) for i in range(count)], axis=1)
        return found if kind is not None and kind.count else found[:, 0]

    def write(frame: Frame, base: Array, values: Array) -> None:
        at = places(frame, base)
        given = np.broadcast_to(values.reshape(len(values), -1), (len(at), count))
        for i in range(count):
            frame.store(at[:, i], given[:, i])

    return read if action == "read" else write


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return erf(x)


def _erfc(x: Array) -> Array:
    from scipy.special import erfc

    return erfc(x)


def _precise(compute: Callable[..., Array]) -> Callable[..., Array]:
    """Compute in f64: results are then as good as the type allows."""
    return lambda *a: compute(*(x.astype(np.float64) for x in a))


_MATHS: dict[str, Callable[..., Array]] = {
    name: _precise(compute)
    for name, compute in {
        "exp": np.exp, "exp2": np.exp2, "exp10": lambda x: np.power(10.0, x), "expm1": np.expm1,
        "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "sqrt": np.sqrt,
        "rsqrt": lambda x: 1 / np.sqrt(x), "cbrt": np.cbrt, "sin": np.sin, "cos": np.cos,
        "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
        "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
        "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "erf": _erf,
        "erfc": _erfc, "pow": np.power, "pown": np.power, "powr": np.power,
        "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "rint": np.rint,
        "round": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5), "fabs": np.abs,
        "fmod": np.fmod, "remainder": lambda x, y: np.vectorize(math.remainder)(x, y),
        "fmax": np.fmax, "fmin": np.fmin, "fma": lambda a, b, c: a * b + c,
        "mad": lambda a, b, c: a * b + c, "copysign": np.copysign, "recip": lambda x: 1 / x,
        "divide": np.divide,
    }.items()
}  # fmt: skip
