"""Reading a kernel function whose anchor is a product of two tensors, summed.

Flows in: `func.func` on tensors. Flows out: `EngineKernel`: which loops are rows, columns, depth
and batch of the matrix product that it is, what its operands are and what follows it; None where
the function has anything that the lowering does not know.

A convolution is read in the same way: its rows are output channels, its columns positions of
all images (or the other way round), its depth channels and taps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.convolution.operands import Operand, operand_of, owner_of, source_of
from bellrock.dialects.generic_ops import init_index
from bellrock.dialects.matrix_engine.block_io import LANES
from bellrock.dialects.matrix_engine.frames import Epilogue, read_epilogue
from bellrock.dialects.matrix_engine.points import readable
from bellrock.payload.motifs.access import Access, loops_in
from bellrock.payload.motifs.contraction import read_product_sum
from bellrock.payload.motifs.structured import Structured, read_structured

PADDED = "bellrock.padded"
"""Attribute of a product: numbers of the operands behind whose rows memory has zeros."""
LONG = 256
"""Columns of one matrix from which on it fills work-groups by itself."""
ELEMENTS = ("f16", "bf16")
"""What matrix engines multiply here; sums are in f32."""


@dataclass(frozen=True, slots=True)
class Side:
    """One factor of the product."""

    value: ir.Value
    access: Access
    dtype: str
    memory: Operand | None
    """Where it lies by loop; None where it is computed, padded, or indexed otherwise."""
    padded: bool = False
    """Whether zeros fill each of its rows in memory up to the next."""


@dataclass(frozen=True, slots=True)
class Loops:
    """Some loops of the product that make one dimension of the matrices, outermost first."""

    numbers: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        """Of the dimension."""
        return math.prod(self.sizes)

    def stride(self, strides: Mapping[int, int]) -> int | None:
        """Return the step in memory along the dimension, if there is one."""
        wide = [(n, s) for n, s in zip(self.numbers, self.sizes, strict=True) if s != 1]
        step = strides.get(wide[-1][0], 0) if wide else 0
        expected = step
        for number, size in reversed(wide):
            if strides.get(number, 0) != expected:
                return None
            expected *= size
        return step


@dataclass(frozen=True, slots=True)
class EngineKernel:
    """A matrix product with what is fused to it."""

    op: Structured
    a: Side
    """Gives the rows."""
    b: Side
    """Gives the columns, which lie side by side in the result."""
    rows: Loops
    columns: Loops
    depth: Loops
    batch: Loops
    output: Access
    initial: ir.Value | None
    """What the sums start from; None: zeros."""
    epilogue: Epilogue


def read_engine_kernel(function: ir.Operation, anchor: ir.Operation) -> EngineKernel | None:
    """Return a kernel as the lowering takes it (see the module's docstring).

    Args:
        function: of one block.
        anchor: the product in it.
    """
    op = read_structured(anchor)
    if op is None or len(list(function.regions[0].blocks)) != 1 or min(op.loops) < 1:
        return None
    product = read_product_sum(op)
    if product is None or not product.plain or product.dtype != "f32":
        return None
    sides = [_side(op, min(numbers)) for numbers in (product.left, product.right)]
    output = op.accesses[op.input_count]
    if any(s is None for s in sides) or any(e.loop is None for e in output):
        return None
    left, right = (s for s in sides if s is not None)
    epilogue = read_epilogue(function, anchor)
    initial = _initial(anchor)
    if epilogue is None or left.dtype != right.dtype or initial is Unreadable:
        return None
    assert not isinstance(initial, type)
    if _overwrites(epilogue, left, right):
        return None
    return _assemble(op, left, right, output, initial, epilogue)


class Unreadable:
    """An initial value that cannot be computed element by element."""


def _side(op: Structured, number: int) -> Side | None:
    value, access = op.values[number], op.accesses[number]
    if op.dtypes[number] not in ELEMENTS or not all(e.linear for e in access):
        return None
    if not readable(value):
        return None
    source = source_of(value)
    memory = None if source is None else operand_of(source, access)
    return Side(value, access, op.dtypes[number], memory, number in padded_operands(op.op))


def padded_operands(op: ir.Operation) -> list[int]:
    """Return the operands of a product behind whose rows memory has zeros."""
    return list(ir.DenseI64ArrayAttr(op.attributes[PADDED])) if PADDED in op.attributes else []


def _initial(anchor: ir.Operation) -> ir.Value | type[Unreadable] | None:
    value = anchor.operands[init_index(anchor)]
    owner = owner_of(value)
    if owner is not None and owner.name == "linalg.fill":
        constant = owner_of(owner.operands[0])
        if constant is not None and constant.name == "arith.constant":
            attribute = constant.attributes["value"]
            if isinstance(attribute, ir.FloatAttr) and attribute.value == 0.0:
                return None
    return value if readable(value) else Unreadable


def _overwrites(epilogue: Epilogue, left: Side, right: Side) -> bool:
    """Whether an operand is read from memory that results go to."""
    written = {r.place.argument for r in epilogue.results}
    return any(n in written for side in (left, right) for n in _arguments(side.value))


def _arguments(value: ir.Value) -> Iterator[int]:
    owner = owner_of(value)
    if owner is None:
        yield ir.BlockArgument(value).arg_number
        return
    for operand in owner.operands:
        yield from _arguments(operand)


def _assemble(
    op: Structured,
    left: Side,
    right: Side,
    output: Access,
    initial: ir.Value | None,
    epilogue: Epilogue,
) -> EngineKernel | None:
    written = loops_in(output)
    last = next((e.loop for e in reversed(output) if e.loop is not None and op.loops[e.loop] != 1),
                None)  # fmt: skip
    a, b = left, right
    if last is not None and last in loops_in(left.access) and last not in loops_in(right.access):
        a, b = right, left
    if last is not None and op.loops[last] < LANES and _is_image(a) and not _is_image(b):
        # Too few to be neighbours of all lanes: positions of the image are, as they are read.
        own = {n for n in loops_in(a.access) if op.loops[n] != 1} - set(loops_in(b.access))
        a, b = (b, a) if own & set(written) else (a, b)
    found: dict[tuple[bool, bool, bool], list[int]] = {}
    for loop, size in enumerate(op.loops):
        where = (loop in loops_in(a.access), loop in loops_in(b.access), loop in written)
        if where not in _DIMENSIONS:
            if size != 1:
                return None
            continue
        found.setdefault(where, []).append(loop)
    rows, columns, depth, batch = (_loops(op, found.get(w, [])) for w in _DIMENSIONS)
    columns, batch = _by_image(b, columns, depth, batch)
    return EngineKernel(op, a, b, rows, columns, depth, batch, output, initial, epilogue)


def _by_image(b: Side, columns: Loops, depth: Loops, batch: Loops) -> tuple[Loops, Loops]:
    """Return columns that lie side by side in memory, and a batch with those that do not.

    The positions of several images are one row of columns, but memory has other channels between
    one image and the next. Where an image has many positions, its matrix can be read in blocks.
    """
    memory = b.memory
    whole = memory is None or columns.stride(memory.strides) is not None
    if memory is None or whole or depth.stride(memory.strides) is None:
        return columns, batch
    for cut in range(1, len(columns.numbers)):
        inner = Loops(columns.numbers[cut:], columns.sizes[cut:])
        if inner.stride(memory.strides) == 1 and inner.size >= LONG:
            outer = Loops(
                (*batch.numbers, *columns.numbers[:cut]), (*batch.sizes, *columns.sizes[:cut])
            )
            return inner, outer
    return columns, batch


def _is_image(side: Side) -> bool:
    """Whether a factor is read through windows."""
    return any(len(e.terms) > 1 for e in side.access)


_DIMENSIONS = (
    (True, False, True), (False, True, True), (True, True, False), (True, True, True)
)  # fmt: skip
"""Rows, columns, depth, batch: whether the loop is in `a`, in `b`, in the result."""


def _loops(op: Structured, numbers: Sequence[int]) -> Loops:
    return Loops(tuple(numbers), tuple(op.loops[n] for n in numbers))
