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
    """A matrix in memory that block loads can read."""

    argument: int
    offset: int
    """Of its first element."""
    height: int
    width: int
    pitch: int
    batch: tuple[tuple[int, int], ...]
    """Loops over matrices, each with its step in memory."""
    element_bytes: int

    @property
    def aligned(self) -> bool:
        """Whether every matrix starts where block loads may."""
        starts = (self.offset, *(step for _, step in self.batch))
        return all(s * self.element_bytes % BASE_BYTES == 0 for s in starts)


def block_matrix(matrix: Matrix) -> Matrix | None:
    """Return a matrix if block loads can read it, a single row with a pitch that they take."""
    size = matrix.element_bytes
    pitch = matrix.pitch
    if matrix.height == 1:
        pitch = -(-matrix.width * size // BASE_BYTES) * BASE_BYTES // size
    starts = (matrix.offset, *(step for _, step in matrix.batch))
    fits = (
        matrix.width * size >= LEAST_WIDTH_BYTES
        and matrix.width * size % WIDTH_BYTES == 0
        and pitch >= matrix.width
        and pitch * size % PITCH_BYTES == 0
        and pitch * size < MOST_BYTES
        and matrix.height < MOST_BYTES
        and all(s * size % WIDTH_BYTES == 0 for s in starts)
    )
    if not fits:
        return None
    return Matrix(
        matrix.argument, matrix.offset, matrix.height, matrix.width, pitch, matrix.batch, size
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A matrix at a known base: where it starts, for the loads of one work-item."""

    matrix: Matrix
    element: ir.Type
    base: ir.Value
    """Address, a multiple of `BASE_BYTES`."""
    first: Index
    """Column at which the matrix starts."""

    def descriptor(self, rows: int, columns: int) -> ir.Value:
        """Return what loads blocks of a size."""
        kind = ir.Type.parse(f"!xegpu.tensor_desc<{rows}x{columns}x{self.element}>")
        width = code.add(self.matrix.width, self.first)
        dynamic = [] if isinstance(width, int) else [width]
        known = [self.matrix.height, width if isinstance(width, int) else _DYNAMIC]
        return _make(
            "xegpu.create_nd_tdesc", [self.base, *dynamic], [kind],
            const_shape=ir.DenseI64ArrayAttr.get(known),
            const_strides=ir.DenseI64ArrayAttr.get([self.matrix.pitch, 1]),
            operandSegmentSizes=ir.DenseI32ArrayAttr.get([1, len(dynamic), 0]),
        )[0]  # fmt: skip


def placed(matrix: Matrix, buffer: ir.Value, element: ir.Type, batch: Sequence[Index]) -> Placed:
    """Emit where a matrix starts.

    Args:
        matrix: of `block_matrix`.
        buffer: that it is in.
        element: type of its elements.
        batch: indices of all loops of the product; those over matrices are read.
    """
    i64 = ir.IntegerType.get_signless(64)
    start = arith.index_cast(i64, memref.extract_aligned_pointer_as_index(buffer))
    offset = code.add(matrix.offset, *(code.scaled(batch[n], step) for n, step in matrix.batch))
    if isinstance(offset, ir.Value) or offset:
        moved = code.as_value(code.scaled(offset, matrix.element_bytes))
        start = arith.addi(start, arith.index_cast(i64, moved))
    if matrix.aligned:
        return Placed(matrix, element, start, 0)
    low = arith.andi(start, arith.constant(i64, BASE_BYTES - 1))
    first = arith.shrui(low, arith.constant(i64, matrix.element_bytes.bit_length() - 1))
    base = arith.andi(start, arith.constant(i64, -BASE_BYTES))
    return Placed(matrix, element, base, arith.index_cast(ir.IndexType.get(), first))


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
    at = [code.as_value(row), code.as_value(code.add(column, place.first))]
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
