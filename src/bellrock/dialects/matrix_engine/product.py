"""The code of a matrix product: a grid of work-groups, each of sub-groups with a tile.

Flows in: an `EngineKernel`, the choice, the new function's buffers. Flows out: `gpu.launch`es
whose bodies are the code of one lane: copies of what block loads refuse, the product, and where the
depth is cut into parts, the sums of those.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, gpu, memref, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.matrix_engine.block_io import BASE_BYTES, DEPTH, LANES, ROWS, multiply
from bellrock.dialects.matrix_engine.operands import side_of
from bellrock.dialects.matrix_engine.packing import with_packed
from bellrock.dialects.matrix_engine.points import Points
from bellrock.dialects.matrix_engine.reading import EngineKernel
from bellrock.dialects.matrix_engine.results import Results
from bellrock.dialects.matrix_engine.tile import Choice, Tile, tile_of
from bellrock.dialects.vector_code import Index

_ADDING = 8
"""Sub-groups of a work-group that adds parts, each with a block of the result."""


def emit_product(kernel: EngineKernel, choice: Choice, arguments: Sequence[ir.Value]) -> None:
    """Emit the launches of a kernel."""
    kernel, buffers, made = with_packed(kernel, arguments)
    parts = choice.parts(kernel.depth.size)

    def whole(tile: Tile, part: Index) -> None:
        del part
        results = Results(tile, buffers)
        sums = _Sums(tile, buffers).emit(results.start(), 0, kernel.depth.size)
        results.emit(sums)

    if parts == 1:
        _launch(kernel, choice, 1, whole)
    else:
        made.append(_emit_parts(kernel, choice, parts, buffers))
    for buffer in made:
        memref.dealloc(buffer)


def _launch(
    kernel: EngineKernel, choice: Choice, parts: int, emit: Callable[[Tile, Index], None]
) -> None:
    """Emit a launch with a sub-group for each tile of each part of each product of the batch."""
    grid = (
        -(-kernel.columns.size // choice.work_group[1]),
        -(-kernel.rows.size // choice.work_group[0]),
        kernel.batch.size * parts,
    )
    lanes = choice.sub_groups[0] * choice.sub_groups[1] * LANES
    launch = gpu.LaunchOp(grid, (lanes, 1, 1))
    block = launch.operation.regions[0].blocks[0]
    with ir.InsertionPoint(block):
        column, row, plane = (
            v if size > 1 else 0 for v, size in zip(list(block.arguments)[:3], grid, strict=True)
        )
        batch, part = code.quotient(plane, parts)
        sub_group = 0 if lanes == LANES else gpu.subgroup_id()
        tile = tile_of(kernel, choice, (column, row, batch), sub_group, gpu.lane_id())
        emit(tile, part)
        gpu.terminator()


class _Sums:
    """Emits the products of a tile, summed over some of the depth."""

    def __init__(self, tile: Tile, buffers: Sequence[ir.Value]) -> None:
        self._tile = tile
        points = Points(buffers)
        self._a = side_of(tile, tile.kernel.a, points, buffers)
        self._b = side_of(tile, tile.kernel.b, points, buffers)

    def emit(self, start: Sequence[ir.Value], low: Index, high: Index) -> Sequence[ir.Value]:
        """Return the sums of the tile's blocks.

        Args:
            start: what they start from.
            low: first of the depth, a multiple of the choice's step.
            high: behind the last.
        """
        choice = self._tile.choice
        for ahead in range(choice.prefetch_depth):
            self._prefetch(code.add(low, ahead * choice.k_step))
        if isinstance(low, int) and isinstance(high, int) and high - low <= choice.k_step:
            return self._step(low, start)
        return code.carried_range(low, high, start, self._step, choice.k_step)

    def _prefetch(self, depth: Index) -> None:
        self._a.prefetch(depth)
        self._b.prefetch(depth)

    def _step(self, depth: Index, sums: Sequence[ir.Value]) -> list[ir.Value]:
        choice = self._tile.choice
        down, across = self._tile.blocks
        if choice.prefetch_depth:
            self._prefetch(code.add(depth, choice.prefetch_depth * choice.k_step))
        found = list(sums)
        for part in range(0, self._tile.depth_step, DEPTH):
            a, b = self._a.blocks(depth, part), self._b.blocks(depth, part)
            for i in range(down):
                for j in range(across):
                    number = i * across + j
                    found[number] = multiply(a[i], b[j], found[number])
        return found


def _emit_parts(
    kernel: EngineKernel, choice: Choice, parts: int, buffers: Sequence[ir.Value]
) -> ir.Value:
    """Emit a launch that sums parts of the depth, and one that adds them up.

    Returns:
        The buffer of the sums in between.
    """
    down, across = (
        -(-size // tile) * (tile // block)
        for size, tile, block in zip(
            (kernel.rows.size, kernel.columns.size), choice.work_group, (ROWS, LANES), strict=True
        )
    )
    elements = kernel.batch.size * parts * down * across * ROWS * LANES
    f32 = ir.F32Type.get()
    between = memref.alloc(ir.MemRefType.get([elements], f32), [], [], alignment=BASE_BYTES)
    size = kernel.depth.size
    length = -(-size // (parts * choice.k_step)) * choice.k_step

    def place(tile: Tile, part: Index, i: int, j: int) -> ir.Value:
        """Return where a lane's sums of a block are."""
        row = code.minimum(code.add(code.quotient(tile.row, ROWS)[0], i), down - 1)
        column = code.minimum(code.add(code.quotient(tile.column, LANES)[0], j), across - 1)
        plane = code.add(code.scaled(tile.plane, parts), part)
        block = code.add(code.scaled(code.add(code.scaled(plane, down), row), across), column)
        lane = code.add(code.scaled(block, LANES), tile.lane)
        return code.as_value(code.scaled(lane, ROWS))

    def sum_up(tile: Tile, part: Index) -> None:
        low = code.scaled(part, length)
        high = code.minimum(code.add(low, length), size)
        zero = [code.zeros(ROWS, f32)] * (tile.blocks[0] * tile.blocks[1])
        sums = _Sums(tile, buffers).emit(zero, low, high)
        for number, value in enumerate(sums):
            i, j = divmod(number, tile.blocks[1])
            vector.store(value, between, [place(tile, part, i, j)])

    def add_up(tile: Tile, part: Index) -> None:
        del part
        results = Results(tile, buffers)
        kind = ir.VectorType.get([ROWS], f32)

        def add(part: Index, sums: Sequence[ir.Value]) -> list[ir.Value]:
            return [arith.addf(sums[0], vector.load(kind, between, [place(tile, part, 0, 0)]))]

        results.emit(code.carried_range(0, parts, results.start(), add))

    _launch(kernel, choice, parts, sum_up)
    small = dataclasses.replace(choice, work_group=(ROWS, LANES * _ADDING), sub_group=(ROWS, LANES))
    _launch(kernel, small, 1, add_up)
    return between
