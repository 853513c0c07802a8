"""Ops of the LLVM dialect that move values: memory, addresses, parts of vectors and structs.

Flows in: an op, and a `Layout` that gives out private memory. Flows out: a function of the frame
and the operands' values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bellrock.errors import DeviceError
from bellrock.target.xegpu.loaders.simt.arithmetic import Compute
from bellrock.target.xegpu.loaders.simt.frame import Frame
from bellrock.target.xegpu.loaders.simt.memory import LOCAL_BASE, PRIVATE_BASE
from bellrock.target.xegpu.loaders.simt.types import (
    Aggregate,
    Array,
    Plain,
    Type,
    Value,
    constant,
    type_of,
)

_DYNAMIC = -(1 << 31)
"""Stands for an operand among constant indices."""


@dataclass(slots=True)
class Layout:
    """Where a module's variables are."""

    private_bytes: int = 0
    """Of each work-item, given out so far."""
    local_bytes: int = 0
    """Of each work-group, given out so far."""
    local: dict[str, int] = field(default_factory=dict)
    """Offset of each variable in local memory, by symbol."""
    constants: dict[str, int] = field(default_factory=dict)
    """Address of each variable in global memory, by symbol."""

    def take_private(self, size_bytes: int) -> int:
        """Return the offset of private memory of its own."""
        at = -(-self.private_bytes // 64) * 64
        self.private_bytes = at + size_bytes
        return at

    def take_local(self, size_bytes: int) -> int:
        """Return the offset of local memory of its own."""
        at = -(-self.local_bytes // 64) * 64
        self.local_bytes = at + size_bytes
        return at


def movement(op: Any, name: str, layout: Layout) -> Compute | None:
    """Return what an op does; None if it is none of these."""
    rule = _RULES.get(name)
    return rule(op, layout) if rule else None


def _constant(op: Any, layout: Layout) -> Compute:
    value = constant(op.attributes["value"], type_of(op.results[0].type))
    return lambda frame: value


def _zero(op: Any, layout: Layout) -> Compute:
    value = type_of(op.results[0].type).zeros()
    return lambda frame: value


def _address_of(op: Any, layout: Layout) -> Compute:
    name = op.attributes["global_name"].value
    if name in layout.local:
        offset = LOCAL_BASE + layout.local[name]
        return lambda frame: frame.groups * frame.local_memory.group_bytes + offset
    if name not in layout.constants:
        raise DeviceError("the interpreter knows no variable of a name", got=name)
    address = np.array([layout.constants[name]], np.int64)
    return lambda frame: address


def _alloca(op: Any, layout: Layout) -> Compute:
    counts = _constant_of(op.operands[0])
    if counts is None:
        raise DeviceError("private memory has to have a constant size", got=str(op)[:200])
    size = type_of(op.attributes["elem_type"].value).size_bytes * counts
    if str(op.results[0].type) == "!llvm.ptr<3>":
        shared = LOCAL_BASE + layout.take_local(size)
        return lambda frame, count: frame.groups * frame.local_memory.group_bytes + shared
    offset = PRIVATE_BASE + layout.take_private(size)
    return lambda frame, count: frame.lanes * frame.private_memory.lane_bytes + offset


def _constant_of(value: Any) -> int | None:
    owner = getattr(value.owner, "operation", value.owner)
    if getattr(owner, "name", "") != "llvm.mlir.constant":
        return None
    return int(owner.attributes["value"].value)


def _load(op: Any, layout: Layout) -> Compute:
    kind = type_of(op.results[0].type)
    return lambda frame, address: _load_any(frame, address, kind)


def _load_any(frame: Frame, address: Array, kind: Type) -> Value:
    if isinstance(kind, Plain):
        return frame.load(address, kind)
    return tuple(_load_any(frame, address + kind.offset(i), f) for i, f in enumerate(kind.fields))


def _store(op: Any, layout: Layout) -> Compute:
    kind = type_of(op.operands[0].type)
    return lambda frame, value, address: _store_any(frame, value, address, kind)


def _store_any(frame: Frame, value: Any, address: Array, kind: Type) -> None:
    if isinstance(kind, Plain):
        frame.store(address, value)
        return
    for i, (part, part_kind) in enumerate(zip(value, kind.fields, strict=True)):
        _store_any(frame, part, address + kind.offset(i), part_kind)


def _element_pointer(op: Any, layout: Layout) -> Compute:
    from torch_mlir import ir

    indices = list(ir.DenseI32ArrayAttr(op.attributes["rawConstantIndices"]))
    kind: Type = type_of(op.attributes["elem_type"].value)
    constant_bytes, strides = 0, []
    for position, index in enumerate(indices):
        if position and isinstance(kind, Aggregate):
            into_struct = index != _DYNAMIC and len(set(kind.fields)) > 1
            constant_bytes += kind.offset(index) if into_struct else 0
            kind = kind.fields[index if into_struct else 0]
            if into_struct:
                continue
        elif position and isinstance(kind, Plain):
            kind = Plain(kind.dtype, None, kind.is_bf16)
        if index == _DYNAMIC:
            strides.append(kind.size_bytes)
        else:
            constant_bytes += index * kind.size_bytes

    def compute(frame: Frame, base: Array, *dynamic: Array) -> Array:
        address = base + constant_bytes if constant_bytes else base
        for index, stride in zip(dynamic, strides, strict=True):
            address = address + index.astype(np.int64) * stride
        return address

    return compute


def _pointer_to_integer(op: Any, layout: Layout) -> Compute:
    dtype = op_dtype(op)
    return lambda frame, a: a.astype(dtype)


def op_dtype(op: Any) -> np.dtype:
    """Return the dtype of an op's plain result."""
    kind = type_of(op.results[0].type)
    if not isinstance(kind, Plain):
        raise DeviceError("an op has a result that is no number", got=str(op)[:200])
    return kind.dtype


def _integer_to_pointer(op: Any, layout: Layout) -> Compute:
    from bellrock.target.xegpu.loaders.simt.types import unsigned

    return lambda frame, a: unsigned(a).astype(np.int64)


def _insert_element(op: Any, layout: Layout) -> Compute:
    def compute(frame: Frame, vector: Array, value: Array, index: Array) -> Array:
        lanes = max(len(vector), len(value), len(index))
        result = np.array(np.broadcast_to(vector, (lanes, vector.shape[1])))
        if len(index) == 1:
            result[:, index[0]] = value
        else:
            result[np.arange(lanes), index] = value
        return result

    return compute


def _extract_element(op: Any, layout: Layout) -> Compute:
    def compute(frame: Frame, vector: Array, index: Array) -> Array:
        if len(index) == 1:
            return vector[:, index[0]]
        lanes = np.arange(len(index)) if len(vector) > 1 else np.zeros(len(index), np.int64)
        return vector[lanes, np.clip(index, 0, vector.shape[1] - 1)]

    return compute


def _shuffle(op: Any, layout: Layout) -> Compute:
    from torch_mlir import ir

    mask = np.maximum(list(ir.DenseI32ArrayAttr(op.attributes["mask"])), 0)

    def compute(frame: Frame, a: Array, b: Array) -> Array:
        if mask.max() < a.shape[1]:
            return a[:, mask]
        lanes = max(len(a), len(b))
        both = [np.broadcast_to(x, (lanes, x.shape[1])) for x in (a, b)]
        return np.concatenate(both, axis=1)[:, mask]

    return compute


def _insert_value(op: Any, layout: Layout) -> Compute:
    position = _position(op)

    def insert(whole: tuple[Any, ...], path: list[int], value: Value) -> tuple[Any, ...]:
        part = value if len(path) == 1 else insert(whole[path[0]], path[1:], value)
        return (*whole[: path[0]], part, *whole[path[0] + 1 :])

    return lambda frame, whole, value: insert(whole, position, value)


def _extract_value(op: Any, layout: Layout) -> Compute:
    position = _position(op)

    def compute(frame: Frame, whole: Any) -> Value:
        for index in position:
            whole = whole[index]
        return whole

    return compute


def _position(op: Any) -> list[int]:
    from torch_mlir import ir

    return list(ir.DenseI64ArrayAttr(op.attributes["position"]))


def _copy_memory(op: Any, layout: Layout) -> Compute:
    def compute(frame: Frame, to: Array, source: Array, size: Array, *_: Array) -> None:
        if size[0]:
            kind = Plain(np.dtype(np.uint8), int(size[0]))
            frame.store(to, frame.load(source, kind))

    return compute


def _set_memory(op: Any, layout: Layout) -> Compute:
    def compute(frame: Frame, to: Array, value: Array, size: Array, *_: Array) -> None:
        if size[0]:
            byte = value.astype(np.uint8)[:, None]
            frame.store(to, np.repeat(byte, int(size[0]), axis=1))

    return compute


def _same(op: Any, layout: Layout) -> Compute:
    return lambda frame, a, *_: a


def _nothing(op: Any, layout: Layout) -> Compute:
    return lambda frame, *_: None


_RULES: dict[str, Callable[[Any, Layout], Compute]] = {
    "mlir.constant": _constant, "mlir.zero": _zero, "mlir.undef": _zero, "mlir.poison": _zero,
    "mlir.addressof": _address_of, "alloca": _alloca, "load": _load, "store": _store,
    "getelementptr": _element_pointer, "ptrtoint": _pointer_to_integer,
    "inttoptr": _integer_to_pointer, "addrspacecast": _same, "freeze": _same,
    "intr.ptr.annotation": _same, "insertelement": _insert_element,
    "extractelement": _extract_element, "shufflevector": _shuffle,
    "insertvalue": _insert_value, "extractvalue": _extract_value,
    "intr.memcpy": _copy_memory, "intr.memmove": _copy_memory, "intr.memset": _set_memory,
    "intr.assume": _nothing, "intr.lifetime.start": _nothing, "intr.lifetime.end": _nothing,
    "intr.stackrestore": _nothing, "intr.stacksave": _zero, "intr.prefetch": _nothing,
    "fence": _nothing,
}  # fmt: skip
