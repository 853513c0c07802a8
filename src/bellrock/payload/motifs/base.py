"""What a motif is: a frozen record of one op's computation, free of MLIR objects.

Flows in: nothing (the matchers beside this file fill it). Flows out: `Motif`, which selectors,
targets, lock files and the inspector read. Holding one keeps no module and no context alive.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

DYNAMIC = -1
"""A size that is not known before the program runs."""


class MotifKind(enum.StrEnum):
    """The kinds of motif."""

    CONTRACTION = "contraction"
    CONVOLUTION = "convolution"
    POOLING = "pooling"
    REDUCTION = "reduction"
    NORMALISATION = "normalisation"
    """A group of ops (see `bellrock.payload.pattern`), never one op."""
    SOFTMAX = "softmax"
    """A group of ops, or `linalg.softmax`."""
    ATTENTION = "attention"
    """A group of ops: contraction, softmax, contraction."""
    ELEMENTWISE = "elementwise"
    DATA_MOVEMENT = "data-movement"
    FILL = "fill"
    SCAN = "scan"
    SCATTER = "scatter"
    LOOP = "loop"


class Side(enum.StrEnum):
    """Whether an op reads an operand or updates it."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operand:
    """One operand of an op."""

    side: Side
    dtype: str
    """Element type as MLIR spells it."""
    shape: tuple[int, ...]
    """Sizes, `DYNAMIC` where unknown; `()` for a scalar."""
    layout: str
    """Roles of its dimensions, outermost first, e.g. `mk`, `fchw`, `p0r0`; `*` is the index 0
    (a broadcast dimension), `(2h+kh)` a sum."""
    packable: bool = False
    """Whether it may be packed once per set of weights (see `payload/motifs/contraction`)."""

    @property
    def bytes(self) -> int | None:
        """Size in bytes, or None where a size is dynamic."""
        return size_bytes(self.shape, self.dtype)


@dataclass(frozen=True, kw_only=True, slots=True)
class Motif:
    """What one op computes, how large it is, and how much it moves."""

    kind: MotifKind
    op: str
    """Name of the op, e.g. `linalg.generic`."""
    variant: str = ""
    """Finer kind: the combiner of a reduction, pooling or scan (`add`, `max`, `arg-max`);
    `transpose`, `pad`, ... of data movement; the op of a single-op elementwise body."""
    dims: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Sizes by name, several loops multiplied into one. Contraction: `batch m n k`.
    Convolution: `batch groups in_channels out_channels` (channels of all groups). Reduction:
    `parallel reduced`. Pooling: `parallel`. Elementwise, movement, fill: `elements`. Scan:
    `parallel length`. Loop: `trips`."""
    lists: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    """Sizes by name, one for each loop: the factors of `dims`; and of a convolution or
    pooling `input output kernel strides dilations`, one for each spatial dimension."""
    operands: tuple[Operand, ...] = ()
    """Inputs, then outputs."""
    accumulator: str = ""
    """Element type in which it accumulates (or computes, where nothing is accumulated)."""
    loops: tuple[int, ...] = ()
    """Trip count of each loop of its iteration space, outermost first."""
    iterators: tuple[str, ...] = ()
    """`parallel` or `reduction` for each loop."""
    roles: tuple[str, ...] = ()
    """What each loop is. Contraction: `batch m n k`. Convolution: `batch group out_channel
    in_channel output kernel`. Others: `parallel reduction`."""
    plain: bool = True
    """Whether the body is only casts, the multiplication and the combiner (contraction,
    convolution), or only casts and the combiner (reduction, pooling)."""
    flops: int | None = 0
    """Floating-point operations of one execution; None where a size is dynamic."""
    bytes_read: int | None = 0
    """Bytes read from distinct operands in one execution, each counted once."""
    bytes_written: int | None = 0
    """Bytes written in one execution."""
    location: str = ""
    """MLIR location, without the `loc(...)` around it."""

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The operands that are read only."""
        return tuple(o for o in self.operands if o.side is Side.INPUT)

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The operands that are updated."""
        return tuple(o for o in self.operands if o.side is Side.OUTPUT)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Element types of the operands."""
        return tuple(o.dtype for o in self.operands)

    @property
    def layouts(self) -> tuple[str, ...]:
        """Layouts of the operands."""
        return tuple(o.layout for o in self.operands)

    @property
    def bytes(self) -> int | None:
        """Bytes read and written."""
        if self.bytes_read is None or self.bytes_written is None:
            return None
        return self.bytes_read + self.bytes_written

    def loops_of(self, role: str) -> tuple[int, ...]:
        """Return the positions of the loops that have a role."""
        return tuple(i for i, r in enumerate(self.roles) if r == role)

    def signature(self) -> str:
        """Return the key under which equal computations share a choice.

        Equal signatures mean equal kind, sizes, dtypes and layouts; where in the model the op
        stands is left out.
        """
        variant = f".{self.variant}" if self.variant else ""
        named = {name: (size,) for name, size in self.dims.items()}
        named |= {n: sizes for n, sizes in self.lists.items() if n not in named or len(sizes) > 1}
        sizes = [f"{name}={'x'.join(map(str, values))}" for name, values in named.items()]
        operands = ", ".join(
            f"{o.layout or 'scalar'}:{o.dtype}{' packable' if o.packable else ''}"
            for o in self.inputs
        )
        results = ", ".join(f"{o.layout or 'scalar'}:{o.dtype}" for o in self.outputs)
        fused = "" if self.plain else " fused"
        return f"{self.kind}{variant}{fused} [{' '.join(sizes)}] ({operands}) -> ({results})"


@cache
def element_bytes(dtype: str) -> int:
    """Return the storage of one element of an MLIR type, in bytes (`i1` takes one byte)."""
    if dtype == "index":
        return 8
    if dtype.startswith("complex<"):
        return 2 * element_bytes(dtype[len("complex<") : -1])
    digits = "".join(c if c.isdigit() else " " for c in dtype).split()
    return max(1, int(digits[0]) // 8) if digits else 1


def size_bytes(shape: tuple[int, ...], dtype: str) -> int | None:
    """Return the bytes of a dense tensor, or None where a size is dynamic."""
    if DYNAMIC in shape:
        return None
    return math.prod(shape) * element_bytes(dtype)


def product(sizes: tuple[int, ...]) -> int:
    """Return the product of sizes, `DYNAMIC` if one of them is."""
    return DYNAMIC if DYNAMIC in sizes else math.prod(sizes)
