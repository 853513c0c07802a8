"""Types of the LLVM dialect, as the interpreter holds their values.

Flows in: MLIR types. Flows out: numpy dtypes, sizes and layouts. A scalar of all work-items is an
array of one dimension, a vector one of two; a value that is the same for all has length 1 there.
A struct or array is a tuple of such values. Pointers are 64-bit integers; bf16 is 16 raw bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from bellrock.errors import DeviceError
from bellrock.target.xegpu.tables import bf16_table, round_to_bf16

Array: TypeAlias = np.ndarray
Value: TypeAlias = "Array | tuple[Any, ...]"

_DTYPES = {
    "f16": np.float16, "f32": np.float32, "f64": np.float64, "bf16": np.uint16, "i1": np.bool_,
    "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plain:
    """A scalar or a vector."""

    dtype: np.dtype
    count: int | None
    """Elements of a vector; None for a scalar."""
    is_bf16: bool = False

    @property
    def size_bytes(self) -> int:
        """In memory; a vector of three takes the room of four."""
        size = self.dtype.itemsize * (self.count or 1)
        return 1 << (size - 1).bit_length() if self.count else size

    @property
    def align_bytes(self) -> int:
        """Natural alignment."""
        return self.size_bytes

    def zeros(self, lanes: int = 1) -> Array:
        """Return zeros for that many work-items."""
        return np.zeros((lanes, self.count) if self.count else lanes, self.dtype)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A struct or an array."""

    fields: tuple[Type, ...]
    packed: bool = False

    @property
    def align_bytes(self) -> int:
        """Of the field that asks for most."""
        return 1 if self.packed else max((f.align_bytes for f in self.fields), default=1)

    @property
    def size_bytes(self) -> int:
        """With padding at the end."""
        return self._layout()[1]

    def offset(self, index: int) -> int:
        """Return the place of a field, in bytes."""
        return self._layout()[0][index]

    def zeros(self, lanes: int = 1) -> tuple[Value, ...]:
        """Return zeros for that many work-items."""
        return tuple(field.zeros(lanes) for field in self.fields)

    def _layout(self) -> tuple[list[int], int]:
        places, at = [], 0
        for field in self.fields:
            align = 1 if self.packed else field.align_bytes
            at = -(-at // align) * align
            places.append(at)
            at += field.size_bytes
        return places, -(-at // self.align_bytes) * self.align_bytes


Type: TypeAlias = Plain | Aggregate


def type_of(type_: Any) -> Type:
    """Return how values of an MLIR type are held.

    Raises:
        DeviceError: the interpreter has no such type.
    """
    from torch_mlir import ir
    from torch_mlir.dialects import llvm

    if isinstance(type_, ir.VectorType):
        element = _plain(type_.element_type)
        return Plain(element.dtype, int(np.prod(type_.shape)), element.is_bf16)
    if isinstance(type_, llvm.ArrayType):
        return Aggregate((type_of(type_.element_type),) * type_.num_elements)
    if isinstance(type_, llvm.StructType):
        return Aggregate(tuple(type_of(field) for field in type_.body), packed=type_.packed)
    return _plain(type_)


def _plain(type_: Any) -> Plain:
    name = str(type_)
    if name.startswith("!llvm.ptr"):
        return Plain(np.dtype(np.int64), None)
    if name not in _DTYPES:
        raise DeviceError("the interpreter has no values of a type", got=name, allowed=_DTYPES)
    return Plain(np.dtype(_DTYPES[name]), None, name == "bf16")


def unsigned(value: Array) -> Array:
    """Return the same bits as unsigned integers (i1 stays as it is)."""
    return value if value.dtype == np.bool_ else value.view(value.dtype.str.replace("i", "u"))


def widen_bf16(value: Array) -> Array:
    """Return the values of bf16 bits as f32."""
    return (value.astype(np.uint32) << 16).view(np.float32)


def constant(attribute: Any, type_: Type) -> Value:
    """Return a constant, the same for all work-items."""
    from torch_mlir import ir

    if isinstance(type_, Aggregate):
        if not isinstance(attribute, ir.ArrayAttr):
            numbers = _dense(attribute, type_.fields[0])
            return tuple(np.split(numbers, len(numbers)))
        return tuple(constant(e, f) for e, f in zip(attribute, type_.fields, strict=True))
    if isinstance(attribute, ir.DenseElementsAttr):
        values = _dense(attribute, type_)
    else:
        number = getattr(attribute, "value", attribute)
        values = np.asarray([number], np.float32 if type_.is_bf16 else type_.dtype)
        values = round_to_bf16(values) if type_.is_bf16 else values
    return values.reshape(1, -1) if type_.count else values


def numbers_of(attribute: Any, type_: Type) -> Array:
    """Return the contents of a global variable, in a row."""
    from torch_mlir import ir

    if isinstance(attribute, ir.DenseElementsAttr):
        return _dense(attribute, type_)
    value = constant(attribute, type_)
    return np.concatenate(value) if isinstance(value, tuple) else np.ravel(value)


def _dense(attribute: Any, type_: Type) -> Array:
    """Return the numbers of a dense attribute; of arrays of arrays in a row."""
    while isinstance(type_, Aggregate):
        type_ = type_.fields[0]
    if not type_.is_bf16:
        return np.ravel(np.array(attribute)).astype(type_.dtype)
    return bf16_table(attribute)
