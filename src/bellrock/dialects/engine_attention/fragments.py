"""The factors of an attention's two products, as the matrix engine wants them in the lanes.

Flows in: a factor in memory, where in the batch it is. Flows out: for a part of the depth, blocks
of A (a lane has a column of the depth, 8 rows) or of B (a lane has a column, 16 steps of it).

As in `matrix_engine.operands`: by 2-d block loads, transposed or not, or element by element where
block loads refuse the memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import memref, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.factor import Factor
from bellrock.dialects.convolution.operands import Operand, address, owner_of
from bellrock.dialects.matrix_engine.block_io import (
    DEPTH,
    LANES,
    ROWS,
    BatchLoop,
    BlockMatrix,
    Matrix,
    Prefetcher,
    block_matrix,
    load_block,
    placed,
)
from bellrock.dialects.matrix_engine.operands import ELEMENT_BYTES, cut, zero_outside
from bellrock.dialects.matrix_engine.points import packed
from bellrock.dialects.vector_code import Index


@dataclass(frozen=True, kw_only=True, slots=True)
class FactorMatrix:
    """A factor in memory; loops are dimensions of the scores, depth and features behind them."""

    operand: Operand
    made: Factor
    """What is made of its elements."""
    sizes: tuple[int, ...]
    """Of all loops."""
    across: int
    """Loop of its rows (of A) or columns (of B)."""
    depth: int
    """Loop that the product sums over."""
    is_a: bool
    step: int
    """How far apart the parts of the depth are that are read together."""

    @property
    def depth_fits(self) -> bool:
        """Whether steps end where the depth does."""
        return self.sizes[self.depth] % self.step == 0

    def blocks(self) -> tuple[BlockMatrix, bool] | None:
        """Return how block loads read it, and whether memory has a row for each step of depth."""
        offset = self.operand.offset
        if not isinstance(offset, int):
            return None  # where it starts is not known
        batch = tuple(
            BatchLoop(n, size, self.operand.stride(n))
            for n, size in enumerate(self.sizes)
            if n not in (self.across, self.depth) and size != 1 and self.operand.stride(n)
        )
        for depth_first in (not self.is_a, self.is_a):
            tall, wide = (self.depth, self.across)[:: 1 if depth_first else -1]
            unit, pitch = self.operand.stride(wide), self.operand.stride(tall)
            if unit != 1 and self.sizes[wide] != 1:
                continue
            found = block_matrix(
                Matrix(self.operand.argument, offset, self.sizes[tall],
                       self.sizes[wide], pitch, batch, ELEMENT_BYTES)
            )  # fmt: skip
            if found is not None:
                return found, depth_first
        return None


class Fragments:
    """Reads one factor, for the lanes of one sub-group."""

    def __init__(
        self, factor: FactorMatrix, buffer: ir.Value, batch: Mapping[int, Index], lane: Index
    ) -> None:
        """Make the descriptors.

        Args:
            factor: to read.
            buffer: that it is in.
            batch: indices of the loops over matrices.
            lane: of the work-item.
        """
        self._factor, self._buffer, self._lane = factor, buffer, lane
        self._batch = dict(batch)
        self._place = None
        element = ir.MemRefType(buffer.type).element_type
        access = factor.blocks() if element == factor.made.element else None
        if access is None:
            return
        matrix, self._depth_first = access
        loops = [self._batch.get(n, 0) for n in range(len(factor.sizes))]
        self._place = placed(matrix, buffer, element, loops)
        self._straight = self._depth_first != factor.is_a
        self._masked = self._depth_first and bool(matrix.stacked) and not factor.depth_fits
        self._load = self._place.descriptor(DEPTH, LANES)

    def prefetcher(self, sub_group: Index, sub_groups: int) -> Prefetcher | None:
        """Return what asks for parts of the factor ahead, if it is read by block loads.

        Args:
            sub_group: its number in the work-group.
            sub_groups: of the work-group; they share what is asked for.
        """
        if self._place is None:
            return None
        return Prefetcher.of(self._place, self._factor.step, sub_group, sub_groups)

    def prefetch(
        self, ahead: Prefetcher, first: Index, depth: Index, area: tuple[int, int]
    ) -> None:
        """Ask for what is read later.

        Args:
            ahead: of this factor.
            first: row of A, or column of B.
            depth: first step of the depth.
            area: rows of A (or columns of B), and steps of the depth.
        """
        if self._depth_first:
            ahead.emit(depth, first, (area[1], area[0]))
        else:
            ahead.emit(first, depth, area)

    def at(self, first: Index, depth: Index, count: int) -> list[ir.Value]:
        """Load blocks that lie side by side.

        Args:
            first: row of A, or column of B.
            depth: first step of the depth.
            count: blocks.
        """
        return [self._made(block, depth) for block in self._loaded(first, depth, count)]

    def _made(self, block: ir.Value, depth: Index) -> ir.Value:
        """Return what is multiplied, of elements as they lie in memory."""
        made = self._factor.made
        if made.inner is None and owner_of(made.value) is None:
            return block
        value = made.emit(block, pairs=True)
        return value if self._factor.depth_fits else zero_outside(value, self._inside(depth))

    def _loaded(self, first: Index, depth: Index, count: int) -> list[ir.Value]:
        size = ROWS if self._factor.is_a else LANES
        if self._place is None:
            read = self._row_block if self._factor.is_a else self._column_block
            return [read(code.add(first, i * size), depth) for i in range(count)]
        found: list[ir.Value] = []
        for at in range(0, count * size, LANES):
            along = code.add(first, at)
            row, column = (depth, along) if self._depth_first else (along, depth)
            form = ("" if self._factor.is_a else "packed") if self._straight else "transposed"
            loaded = load_block(self._place, self._load, row, column, form=form)
            if self._masked:
                loaded = zero_outside(loaded, self._inside(depth))
            found += cut(loaded) if self._factor.is_a else [loaded]
        return found[:count]

    def _inside(self, depth: Index) -> ir.Value:
        """Return what of a block is in the depth: by lane of A, by element of B."""
        total = self._factor.sizes[self._factor.depth]
        if self._factor.is_a:
            return code.below(code.add(depth, self._lane), total)
        return packed([code.below(code.add(depth, e), total) for e in range(DEPTH)])

    def _row_block(self, row: Index, depth: Index) -> ir.Value:
        step = code.add(depth, self._lane)
        return self._gathered([(code.add(row, e), step) for e in range(ROWS)], depth)

    def _column_block(self, column: Index, depth: Index) -> ir.Value:
        where = code.add(column, self._lane)
        return self._gathered([(where, code.add(depth, e)) for e in range(DEPTH)], depth)

    def _gathered(self, points: Sequence[tuple[Index, Index]], depth: Index) -> ir.Value:
        """Load elements at (across, depth), those beyond the depth as zeros."""
        factor = self._factor
        most = [factor.sizes[n] - 1 for n in (factor.across, factor.depth)]
        loaded = []
        for across, step in points:
            place = dict(self._batch)
            place[factor.across] = code.minimum(across, most[0])
            place[factor.depth] = step if factor.depth_fits else code.minimum(step, most[1])
            at = address(factor.operand, place)
            loaded.append(memref.load(self._buffer, [code.as_value(at)]))
        kind = ir.VectorType.get([len(loaded)], loaded[0].type)
        value = vector.from_elements(kind, loaded)
        return value if factor.depth_fits else zero_outside(value, self._inside(depth))
