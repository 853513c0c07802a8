"""2-d block accesses and matrix products of sub-groups.

Flows in: a description of the built-in function. Flows out: a function of the frame and the
arguments' values. The rules that hardware has for matrices and coordinates are checked: it does
not say so when they are broken, and reads something else.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from bellrock.errors import DeviceError
from bellrock.target.xegpu.builtins import SUB_GROUP, BlockAccess, MatrixMad
from bellrock.target.xegpu.loaders.simt.arithmetic import Compute
from bellrock.target.xegpu.loaders.simt.frame import Frame
from bellrock.target.xegpu.loaders.simt.memory import AccessError
from bellrock.target.xegpu.loaders.simt.types import Array, Plain, widen_bf16
from bellrock.target.xegpu.tables import round_to_bf16

BASE_ALIGN_BYTES = 64
LEAST_WIDTH_BYTES = 64
PITCH_ALIGN_BYTES = 16
WIDTH_ALIGN_BYTES = 4
MOST_BYTES = 1 << 24
_DTYPES = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}


def block_access(access: BlockAccess) -> Compute:
    """Return what an access does."""
    if access.action == "prefetch":
        return lambda frame, *_: None
    dtype = np.dtype(_DTYPES[access.bits])

    def compute(frame: Frame, *arguments: Array) -> None:
        frame.all_in_sub_groups()
        lanes = len(frame.lanes)
        base, width, height, pitch = (
            np.broadcast_to(a, lanes).astype(np.int64) for a in arguments[:4]
        )
        at = np.broadcast_to(arguments[4], (lanes, 2)).astype(np.int64)
        _check(access, frame, base, width, pitch, at[:, 0])
        rows, columns = _places(access)
        x = at[:, :1] + columns[frame.sub_lanes()]
        y = at[:, 1:] + rows[frame.sub_lanes()]
        inside = (x >= 0) & ((x + 1) * dtype.itemsize <= width[:, None])
        inside &= (y >= 0) & (y < height[:, None])
        if access.form == "transpose":
            inside &= (frame.sub_lanes() < access.rows)[:, None]
        if frame.mask is not None:
            inside &= frame.mask[:, None]
        places = base[:, None] + y * pitch[:, None] + x * dtype.itemsize
        held = np.broadcast_to(arguments[5], lanes)
        if access.action == "read":
            found = np.zeros(x.shape, dtype)
            if inside.any():
                frame.global_memory.check(places[inside], dtype.itemsize)
                found[inside] = frame.global_memory.load(places[inside], dtype, None)
            frame.store(held, found)
        else:
            values = frame.load(held, Plain(dtype, x.shape[1]))
            if inside.any():
                frame.global_memory.check(places[inside], dtype.itemsize)
                frame.global_memory.store(places[inside], values[inside])

    return compute


@cache
def _places(access: BlockAccess) -> tuple[Array, Array]:
    """Return row and column, in the blocks, of each element that each work-item holds, in order."""
    lane = np.arange(SUB_GROUP)[:, None]
    block = np.arange(access.blocks)
    if access.form == "transpose":
        column = np.arange(access.columns)[None, :]
        return np.broadcast_to(lane, (SUB_GROUP, access.columns)), np.repeat(column, SUB_GROUP, 0)
    if access.form == "transform":  # dwords of consecutive rows: rows in order
        row = np.tile(np.arange(access.rows), access.blocks)[None, :]
        column = np.repeat(block * access.columns, access.rows)[None, :] + lane
        return np.repeat(row, SUB_GROUP, 0), column
    if access.folded == 2:
        halves = access.rows // 2
        row = np.tile(2 * np.arange(halves), access.blocks)[None, :] + lane // 8
        column = np.repeat(block * access.columns, halves)[None, :] + lane % 8
        return row, column
    row = np.tile(np.repeat(np.arange(access.rows), access.packed), access.blocks)[None, :]
    part = np.tile(np.arange(access.packed), access.rows * access.blocks)[None, :]
    column = np.repeat(block * access.columns, access.rows * access.packed)[None, :]
    return np.repeat(row, SUB_GROUP, 0), column + lane * access.packed + part


def _check(
    access: BlockAccess, frame: Frame, base: Array, width: Array, pitch: Array, x: Array
) -> None:
    rules = {
        f"the base is a multiple of {BASE_ALIGN_BYTES} bytes": base % BASE_ALIGN_BYTES == 0,
        f"the width is {LEAST_WIDTH_BYTES} bytes at least": width >= LEAST_WIDTH_BYTES,
        f"the width is a multiple of {WIDTH_ALIGN_BYTES} bytes": width % WIDTH_ALIGN_BYTES == 0,
        "the pitch is not below the width": pitch >= width,
        f"the pitch is a multiple of {PITCH_ALIGN_BYTES} bytes": pitch % PITCH_ALIGN_BYTES == 0,
        f"the pitch is at most {MOST_BYTES} bytes": pitch <= MOST_BYTES,
        "x is a multiple of 4 bytes": x * (access.bits // 8) % 4 == 0,
    }
    for rule, kept in rules.items():
        broken = frame.active(~kept)
        if broken.any():
            lane = int(np.argmax(broken))
            numbers = [int(frame.active(v)[lane]) for v in (base, width, pitch, x)]
            raise AccessError(
                f"a 2-d block access breaks a rule of the hardware: {rule} "
                f"(base {numbers[0]:#x}, width {numbers[1]}, pitch {numbers[2]}, x {numbers[3]})"
            )


def matrix_mad(mad: MatrixMad) -> Compute:
    """Return what a product computes.

    Raises:
        DeviceError: of types that are not known.
    """
    if mad.a not in _OPERANDS or mad.b not in _OPERANDS:
        raise DeviceError("a matrix product of types that are not known", got=f"{mad.a}, {mad.b}")

    def compute(frame: Frame, a: Array, b: Array, c: Array) -> Array:
        frame.all_in_sub_groups()
        lanes = len(frame.lanes)
        left, right, start = (
            np.ascontiguousarray(np.broadcast_to(v, (lanes, *v.shape[1:]))).reshape(lanes, -1)
            for v in (a, b, c)
        )
        product = np.matmul(_left(mad, left), _right(mad, right))  # sub-group, row, column
        columns = product.transpose(0, 2, 1).reshape(lanes, mad.rows)
        result = _sum(mad, columns, start)
        return result if c.ndim == 2 else result[:, 0]

    return compute


def _left(mad: MatrixMad, held: Array) -> Array:
    """Return A of each sub-group."""
    groups = len(held) // SUB_GROUP
    if mad.a == "tf32" and mad.a_elements < mad.rows:
        parts = _OPERANDS["tf32"](held).reshape(groups, 2, 8, mad.a_elements)
        return parts.transpose(0, 3, 1, 2).reshape(groups, mad.rows, 8)
    values = _OPERANDS[mad.a](held)
    parts = values.reshape(groups, SUB_GROUP, mad.rows, -1)
    rows = parts.transpose(0, 2, 1, 3).reshape(groups, mad.rows, -1)
    return rows[:, :, : mad.k]


def _right(mad: MatrixMad, held: Array) -> Array:
    """Return B of each sub-group."""
    values = _OPERANDS[mad.b](held).reshape(len(held) // SUB_GROUP, SUB_GROUP, mad.k)
    return values.transpose(0, 2, 1)


def _sum(mad: MatrixMad, product: Array, start: Array) -> Array:
    if mad.result == "s":
        return round_to_bf16(product + widen_bf16(start.view(np.uint16))).view(np.int16)
    return (product + start.astype(product.dtype)).astype(start.dtype)


def _as_tf32(held: Array) -> Array:
    return (held.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


_OPERANDS: dict[str, Any] = {
    "f16": lambda held: held.view(np.float16).astype(np.float32),
    "bf16": lambda held: widen_bf16(held.view(np.uint16)),
    "tf32": _as_tf32,
    "s8": lambda held: held.view(np.int8).astype(np.int32),
    "u8": lambda held: held.view(np.uint8).astype(np.int32),
}
"""Elements of a work-item's part, along its second dimension."""
