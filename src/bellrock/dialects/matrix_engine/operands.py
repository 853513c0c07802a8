"""The two factors of a product, as the matrix engine wants them in the lanes.

Flows in: a side of a kernel, the tile of a sub-group. Flows out: for a part of the depth, blocks
of A (a lane has a column of k, 8 rows) and of B (a lane has a column of n, 16 rows of k).

Three ways, from what is known of memory: 2-d block loads; the same, transposed, where memory
has the other order; or element by element (*gathered*), for what block loads do not take: a pitch
or size that they refuse, an image of a convolution, elementwise ops before the product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.matrix_engine.block_io import (
    DEPTH,
    LANES,
    ROWS,
    BatchLoop,
    BlockMatrix,
    Matrix,
    Placed,
    Prefetcher,
    block_matrix,
    load_block,
    placed,
)
from bellrock.dialects.matrix_engine.points import Points
from bellrock.dialects.matrix_engine.reading import EngineKernel, Loops, Side
from bellrock.dialects.matrix_engine.tile import Tile, inside
from bellrock.dialects.matrix_engine.views import indices
from bellrock.dialects.vector_code import Index

ELEMENT_BYTES = 2


@dataclass(frozen=True, slots=True)
class BlockAccess:
    """How block loads read a side."""

    matrix: BlockMatrix
    depth_first: bool
    """Whether the matrix in memory has a row for each step of the depth."""

    @property
    def runs_on(self) -> bool:
        """Whether there may be something else in memory beyond the depth."""
        return self.depth_first and bool(self.matrix.stacked)


def block_access(kernel: EngineKernel, side: Side) -> BlockAccess | None:
    """Return how block loads read a side of a kernel; None where they cannot."""
    across = kernel.rows if side is kernel.a else kernel.columns
    memory = side.memory
    if memory is None:
        return None
    strides = memory.strides
    step, depth = across.stride(strides), kernel.depth.stride(strides)
    if step is None or depth is None:
        return None
    batch = batch_loops(kernel.batch, strides)
    for depth_first in (side is kernel.b, side is kernel.a):
        unit, pitch = (step, depth) if depth_first else (depth, step)
        tall, wide = (kernel.depth, across) if depth_first else (across, kernel.depth)
        if unit != 1 and wide.size != 1:
            continue
        # Zeros behind each row make it one of a length that block loads take.
        width = pitch if side.padded else wide.size
        matrix = block_matrix(
            Matrix(memory.argument, memory.offset, tall.size, width, pitch, batch, ELEMENT_BYTES)
        )
        if matrix is not None:
            return BlockAccess(matrix, depth_first)
    return None


def batch_loops(batch: Loops, strides: Mapping[int, int]) -> tuple[BatchLoop, ...]:
    """Return the loops over matrices that lie apart."""
    return tuple(
        BatchLoop(n, size, strides[n])
        for n, size in zip(batch.numbers, batch.sizes, strict=True)
        if strides.get(n) and size != 1
    )


class BlockSide:
    """A side that block loads read."""

    def __init__(self, tile: Tile, access: BlockAccess, place: Placed, *, is_a: bool) -> None:
        """Make the descriptors, once for a sub-group."""
        self._tile, self._place, self._is_a = tile, place, is_a
        self._depth_first = access.depth_first
        self._masked = access.runs_on and not tile.depth_fits
        choice = tile.choice
        self._extent = choice.sub_group[0 if is_a else 1]
        straight = access.depth_first != is_a
        self._across = LANES
        if is_a and straight:
            self._across = min(choice.load_a[0], 2 * ROWS)
        # Pairs of steps side by side are half as many words: a load has room for twice the depth.
        twice = not is_a and straight and choice.load_b[0] >= 2 * DEPTH
        self._parts = 2 if twice and tile.depth_step % (2 * DEPTH) == 0 else 1
        self._later: list[list[ir.Value]] = []
        steps = self._parts * DEPTH
        tall, wide = (steps, self._across) if access.depth_first else (self._across, steps)
        self._form = ("" if is_a else "packed") if straight else "transposed"
        self._load = place.descriptor(tall, wide)
        self._prefetch: Prefetcher | None = None
        if choice.prefetch_depth:
            groups = choice.sub_groups[0] * choice.sub_groups[1]
            self._prefetch = Prefetcher.of(place, self._piece_rows(), tile.sub_group, groups)

    def blocks(self, depth: Index, part: int) -> list[ir.Value]:
        """Load what is multiplied at a part of the depth.

        Args:
            depth: first step of a turn.
            part: steps from there; parts are asked for in order.
        """
        if not self._later:
            self._later = self._loaded(code.add(depth, part))
        return self._later.pop(0)

    def _loaded(self, depth: Index) -> list[list[ir.Value]]:
        """Return the blocks of as many parts of the depth as a load has."""
        first = self._tile.row if self._is_a else self._tile.column
        found: list[list[ir.Value]] = [[] for _ in range(self._parts)]
        for at in range(0, self._extent, self._across):
            along = code.add(first, at)
            row, column = (depth, along) if self._depth_first else (along, depth)
            loaded = load_block(self._place, self._load, row, column, form=self._form)
            for number, block in enumerate(_halves(loaded, self._parts)):
                if self._masked:
                    block = self._without_others(block, code.add(depth, number * DEPTH))
                found[number] += cut(block) if self._is_a else [block]
        count = self._extent // (ROWS if self._is_a else LANES)
        return [blocks[:count] for blocks in found]

    def _without_others(self, block: ir.Value, depth: Index) -> ir.Value:
        """Return a block with zeros beyond the depth."""
        if self._is_a:
            at = code.add(depth, self._tile.lane)
            return zero_outside(block, inside(at, self._tile.kernel.depth))
        return zero_outside(block, _steps_inside(depth, self._tile.kernel.depth))

    def prefetch(self, depth: Index) -> None:
        """Ask for the sub-group's share of what its work-group multiplies from some depth on."""
        if self._prefetch is None:
            return
        choice, tile = self._tile.choice, self._tile
        across = choice.work_group[0 if self._is_a else 1]
        first = tile.group_row if self._is_a else tile.group_column
        if self._depth_first:
            self._prefetch.emit(depth, first, (choice.k_step, across))
        else:
            self._prefetch.emit(first, depth, (across, choice.k_step))

    def _piece_rows(self) -> int:
        """Return the rows of memory of a piece."""
        choice = self._tile.choice
        sizes = choice.prefetch_a if self._is_a else choice.prefetch_b
        across, depth = sizes if self._is_a else sizes[::-1]
        return depth if self._depth_first else across


class GatheredSide:
    """A side that is read element by element."""

    def __init__(self, tile: Tile, side: Side, points: Points, *, is_a: bool) -> None:
        """Remember what to read."""
        self._tile, self._side, self._points, self._is_a = tile, side, points, is_a

    def blocks(self, depth: Index, part: int) -> list[ir.Value]:
        """Load what is multiplied at a part of the depth, as `BlockSide` does."""
        tile, depth = self._tile, code.add(depth, part)
        if self._is_a:
            count = tile.choice.sub_group[0] // ROWS
            return [self._a_block(code.add(tile.row, i * ROWS), depth) for i in range(count)]
        count = tile.choice.sub_group[1] // LANES
        return [self._b_block(code.add(tile.column, j * LANES), depth) for j in range(count)]

    def prefetch(self, depth: Index) -> None:
        """Ask for nothing: its elements come through the caches as they are read."""
        del depth

    def _a_block(self, row: Index, depth: Index) -> ir.Value:
        tile, size = self._tile, self._tile.kernel.depth.size
        at = code.add(depth, tile.lane)
        ragged = not tile.depth_fits
        clamped = code.minimum(at, size - 1) if ragged else at
        loops = [
            tile.loops(row=tile.clamped_row(code.add(row, e)), depth=clamped) for e in range(ROWS)
        ]
        value = self._read(loops)
        return zero_outside(value, inside(at, tile.kernel.depth)) if ragged else value

    def _b_block(self, column: Index, depth: Index) -> ir.Value:
        tile, size = self._tile, self._tile.kernel.depth.size
        where = tile.clamped_column(code.add(column, tile.lane))
        ragged = not tile.depth_fits
        steps = [code.add(depth, e) for e in range(DEPTH)]
        clamped = [code.minimum(s, size - 1) if ragged else s for s in steps]
        value = self._read([tile.loops(column=where, depth=d) for d in clamped])
        return zero_outside(value, _steps_inside(depth, tile.kernel.depth)) if ragged else value

    def _read(self, loops: Sequence[Sequence[Index]]) -> ir.Value:
        return self._points.at(self._side.value, [indices(self._side.access, at) for at in loops])


def side_of(
    tile: Tile, side: Side, points: Points, buffers: Sequence[ir.Value]
) -> BlockSide | GatheredSide:
    """Return how a side of the product comes to the lanes."""
    kernel = tile.kernel
    is_a = side is kernel.a
    access = block_access(kernel, side)
    if access is None:
        return GatheredSide(tile, side, points, is_a=is_a)
    element = ir.Type.parse(side.dtype)
    place = placed(access.matrix, buffers[access.matrix.argument], element, tile.batch)
    return BlockSide(tile, access, place, is_a=is_a)


def _halves(block: ir.Value, parts: int) -> list[ir.Value]:
    """Return the equal parts of a block, one after the other."""
    kind = ir.VectorType(block.type)
    size = kind.shape[0] // parts
    part = ir.VectorType.get([size], kind.element_type)
    return [block] if parts == 1 else [
        vector.extract_strided_slice(part, block, [i * size], [size], [1]) for i in range(parts)
    ]  # fmt: skip


def cut(block: ir.Value) -> list[ir.Value]:
    """Return the parts of a block of A that one instruction each multiplies."""
    kind = ir.VectorType(block.type)
    (size,) = kind.shape
    part = ir.VectorType.get([ROWS], kind.element_type)
    if size == ROWS:
        return [block]
    return [
        vector.extract_strided_slice(part, block, [at], [ROWS], [1]) for at in range(0, size, ROWS)
    ]


def _steps_inside(depth: Index, dimension: Loops) -> ir.Value:
    """Return which of the next steps of the depth are in the matrices."""
    i1 = ir.VectorType.get([DEPTH], ir.IntegerType.get_signless(1))
    return vector.from_elements(i1, [inside(code.add(depth, e), dimension) for e in range(DEPTH)])


def zero_outside(value: ir.Value, within: ir.Value) -> ir.Value:
    """Return a block with zeros where it is not within the depth."""
    kind = ir.VectorType(value.type)
    return arith.select(within, value, code.zeros(kind.shape[0], kind.element_type))
