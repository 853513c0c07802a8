"""What crosses the door of a compiled function: dtypes and tensor specifications.

Flows in: facts that an ingress read off a model. Flows out: frozen records that every
other room uses. Neither torch nor MLIR is needed to hold one.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class DType(enum.StrEnum):
    """Element types, spelled as in MLIR's textual form."""

    F64 = "f64"
    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    I64 = "i64"
    I32 = "i32"
    I16 = "i16"
    I8 = "i8"
    U8 = "ui8"
    I1 = "i1"

    @property
    def bytes(self) -> int:
        """Storage of one element in memory, in bytes (`i1` is stored as one byte)."""
        return _BYTES[self]

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point type."""
        return self in _UNIT_ROUNDOFF

    @property
    def unit_roundoff(self) -> float:
        """Half the distance from 1 to the next value (IEEE 754); 0 for integers."""
        return _UNIT_ROUNDOFF.get(self, 0.0)

    @property
    def torch_name(self) -> str:
        """Name of the dtype in torch, e.g. `float32` (for `getattr(torch, ...)`)."""
        return _TORCH[self]


_BYTES = {
    DType.F64: 8, DType.F32: 4, DType.F16: 2, DType.BF16: 2, DType.I64: 8,
    DType.I32: 4, DType.I16: 2, DType.I8: 1, DType.U8: 1, DType.I1: 1,
}  # fmt: skip
_UNIT_ROUNDOFF = {
    DType.F64: 2.0**-53, DType.F32: 2.0**-24, DType.F16: 2.0**-11, DType.BF16: 2.0**-8,
}  # fmt: skip
_TORCH = {
    DType.F64: "float64", DType.F32: "float32", DType.F16: "float16",
    DType.BF16: "bfloat16", DType.I64: "int64", DType.I32: "int32", DType.I16: "int16",
    DType.I8: "int8", DType.U8: "uint8", DType.I1: "bool",
}  # fmt: skip


class Role(enum.StrEnum):
    """Why a tensor is at the door."""

    INPUT = "input"
    RANDOM = "random"
    """Random numbers that the model draws while it runs; drawn anew for each call."""
    PARAMETER = "parameter"
    BUFFER = "buffer"
    CONSTANT = "constant"
    RESULT = "result"
    MUTATION = "mutation"
    """A result that has to be written back to the buffer of the same name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorSpec:
    """One argument or result: a dense row-major tensor of static shape."""

    name: str
    """Name in the model's source where there is one, e.g. `layers.0.weight`."""
    shape: tuple[int, ...]
    """Sizes in elements; `()` is a scalar tensor."""
    dtype: DType
    role: Role = Role.INPUT

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return self.elements * self.dtype.bytes

    def __str__(self) -> str:
        dims = "x".join(str(d) for d in self.shape)
        return f"{dims}x{self.dtype}" if self.shape else str(self.dtype)
