"""Blocks of matrices between memory and the lanes of a sub-group, and products of them.

Flows in: addresses and sizes of matrices in elements. Flows out: `xegpu` ops of one lane, as
`convert-xegpu-to-xevm` takes them (no layouts: those are for whole sub-groups). What lies outside
of a matrix is read as zero and not written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref

from bellrock.dialects import vector_code as code
from bellrock.dialects.vector_code import Index

LANES = 16
"""Of a sub-group."""
ROWS = 8
"""Of a product of one instruction; its columns are the lanes."""
DEPTH = 16
"""Of a product of one instruction, of 16-bit elements."""
BASE_BYTES = 64
"""A matrix starts at a multiple of this (OpenCL's cl_intel_subgroup_2d_block_io)."""
PITCH_BYTES = 16
"""Its rows start this far apart, or at a multiple of it."""
LEAST_WIDTH_BYTES = 64
WIDTH_BYTES = 4
"""Its rows are a multiple of this long."""
MOST_BYTES = 1 << 24
"""Of a row or pitch; also the most rows."""
_DYNAMIC = ir.ShapedType.get_dynamic_stride_or_offset()


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix in memory, one of a batch."""

    argument: int
    offset: int
    """Of its first element."""
    height: int
    width: int
    pitch: int
    batch: tuple[BatchLoop, ...]
    element_bytes: int


@dataclass(frozen=True, slots=True)
class BatchLoop:
    """A loop over matrices."""

    loop: int
    size: int
    step: int
    """In memory."""


@dataclass(frozen=True, slots=True)
class BlockMatrix:
    """A matrix that block loads can read.

    Where not every matrix of a batch starts as block loads want it, they are read as one that has
    the rows of all: what is below one matrix is the next (`stacked`).
    """

    argument: int
    offset: int
    """Of the first element, a multiple of `BASE_BYTES`."""
    height: int
    width: int
    pitch: int
    first: int
    """Column at which the matrix starts."""
    apart: tuple[tuple[int, int], ...]
    """Loops over matrices, each with its step in memory."""
    stacked: tuple[tuple[int, int], ...]
    """Loops over matrices, each with its step in rows."""
    element_bytes: int


def block_matrix(matrix: Matrix) -> BlockMatrix | None:
    """Return how block loads read a matrix; None if they cannot."""
    size = matrix.element_bytes
    pitch = matrix.pitch
    unit = BASE_BYTES // size
    if matrix.height == 1:  # never stepped over
        pitch = -(-(matrix.width + matrix.offset % unit) // unit) * unit
    height = matrix.height
    apart, stacked = [], []
    for loop in matrix.batch:
        if loop.step % unit == 0:
            apart.append((loop.loop, loop.step))
        elif pitch == matrix.pitch and loop.step % pitch == 0:
            stacked.append((loop.loop, loop.step // pitch))
            height += (loop.size - 1) * (loop.step // pitch)
        else:
            return None
    first = matrix.offset % unit
    width = matrix.width + first
    fits = (
        width * size >= LEAST_WIDTH_BYTES
        and width * size % WIDTH_BYTES == 0
        and first * size % WIDTH_BYTES == 0
        and pitch >= width
        and pitch * size % PITCH_BYTES == 0
        and pitch * size < MOST_BYTES
        and height < MOST_BYTES
    )
    if not fits:
        return None
    return BlockMatrix(
        matrix.argument, matrix.offset - first, height, width, pitch, first,
        tuple(apart), tuple(stacked), size,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placed:
    """A matrix at a known base: where it starts, for the loads of one work-item."""

    matrix: BlockMatrix
    element: ir.Type
    base: ir.Value
    """Address, a multiple of `BASE_BYTES`."""
    row: Index
    """At which the matrix starts, where several are stacked."""

    def descriptor(self, rows: int, columns: int) -> ir.Value:
        """Return what loads blocks of a size."""
        kind = ir.Type.parse(f"!xegpu.tensor_desc<{rows}x{columns}x{self.element}>")
        return _make(
            "xegpu.create_nd_tdesc", [self.base], [kind],
            const_shape=ir.DenseI64ArrayAttr.get([self.matrix.height, self.matrix.width]),
            const_strides=ir.DenseI64ArrayAttr.get([self.matrix.pitch, 1]),
            operandSegmentSizes=ir.DenseI32ArrayAttr.get([1, 0, 0]),
        )[0]  # fmt: skip


def placed(
    matrix: BlockMatrix, buffer: ir.Value, element: ir.Type, batch: Sequence[Index]
) -> Placed:
    """Emit where a matrix starts.

    Args:
        matrix: of `block_matrix`.
        buffer: that it is in.
        element: type of its elements.
        batch: indices of all loops of the product; those over matrices are read.
    """
    i64 = ir.IntegerType.get_signless(64)
    start = arith.index_cast(i64, memref.extract_aligned_pointer_as_index(buffer))
    offset = code.add(matrix.offset, *(code.scaled(batch[n], step) for n, step in matrix.apart))
    if isinstance(offset, ir.Value) or offset:
        moved = code.as_value(code.scaled(offset, matrix.element_bytes))
        start = arith.addi(start, arith.index_cast(i64, moved))
    row = code.add(*(code.scaled(batch[n], rows) for n, rows in matrix.stacked))
    return Placed(matrix, element, start, row)


def load_block(
    place: Placed, descriptor: ir.Value, row: Index, column: Index, *, form: str = ""
) -> ir.Value:
    """Load a block.

    Args:
        place: of the matrix.
        descriptor: of `place.descriptor`.
        row: of the block's first element.
        column: of the block's first element.
        form: `""`: a lane has a column. `packed`: the same, pairs of rows side by side.
            `transposed`: a lane has a row.
    """
    sizes = str(descriptor.type).split("<")[1].split("x")[:2]
    count = int(sizes[0]) * int(sizes[1]) // LANES
    attributes: dict[str, ir.Attribute] = {}
    if form == "packed":
        attributes["packed"] = ir.UnitAttr.get()
    elif form == "transposed":
        attributes["transpose"] = ir.DenseI64ArrayAttr.get([1, 0])
    kind = ir.VectorType.get([count], place.element)
    return _at("xegpu.load_nd", [descriptor], [kind], place, row, column, attributes)[0]


def prefetch_block(place: Placed, descriptor: ir.Value, row: Index, column: Index) -> None:
    """Ask for a block, which need not lie in the matrix."""
    _at("xegpu.prefetch_nd", [descriptor], [], place, row, column, {})


@dataclass(frozen=True, slots=True)
class Prefetcher:
    """Asks for parts of a matrix, together with the other sub-groups of the work-group."""

    place: Placed
    descriptor: ir.Value
    piece: tuple[int, int]
    """Rows and columns of memory that one sub-group asks for at a time."""
    sub_group: Index
    sub_groups: int
    """Of the work-group."""

    @classmethod
    def of(cls, place: Placed, tall: int, sub_group: Index, sub_groups: int) -> Prefetcher:
        """Make the descriptor for pieces of at most so many rows."""
        piece = (min(tall, 2 * LANES), LANES)
        return cls(place, place.descriptor(*piece), piece, sub_group, sub_groups)

    def emit(self, row: Index, column: Index, area: tuple[int, int]) -> None:
        """Ask for the sub-group's share of an area that starts at an element.

        Args:
            row: of memory; need not be in the matrix.
            column: of memory.
            area: rows and columns of memory.
        """
        tall, wide = self.piece
        down, across = -(-area[0] // tall), -(-area[1] // wide)
        for turn in range(-(-down * across // self.sub_groups)):
            piece = code.add(self.sub_group, turn * self.sub_groups)
            below, beside = code.quotient(piece, across)
            at = (code.add(row, code.scaled(below, tall)),
                  code.add(column, code.scaled(beside, wide)))  # fmt: skip
            prefetch_block(self.place, self.descriptor, *at)


def store_block(
    value: ir.Value, place: Placed, descriptor: ir.Value, row: Index, column: Index
) -> None:
    """Store a block; each lane has a column."""
    _at("xegpu.store_nd", [value, descriptor], [], place, row, column, {})


def multiply(a: ir.Value, b: ir.Value, sums: ir.Value) -> ir.Value:
    """Return the sums with a product of blocks added."""
    return _make("xegpu.dpas", [a, b, sums], [sums.type])[0]


def _at(
    name: str,
    operands: Sequence[ir.Value],
    results: Sequence[ir.Type],
    place: Placed,
    row: Index,
    column: Index,
    attributes: dict[str, ir.Attribute],
) -> Sequence[ir.Value]:
    at = [
        code.as_value(code.add(row, place.row)),
        code.as_value(code.add(column, place.matrix.first)),
    ]
    offsets = ir.DenseI64ArrayAttr.get([_DYNAMIC, _DYNAMIC])
    return _make(name, [*operands, *at], results, const_offsets=offsets, **attributes)


def _make(
    name: str,
    operands: Sequence[ir.Value],
    results: Sequence[ir.Type],
    **attributes: ir.Attribute,
) -> Sequence[ir.Value]:
    """Make an op of a dialect that has no Python builders."""
    return ir.Operation.create(name, list(results), list(operands), attributes).results
