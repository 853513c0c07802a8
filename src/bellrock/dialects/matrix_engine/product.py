"""The code of a matrix product: a grid of work-groups, each of sub-groups with a tile.

Flows in: an `EngineKernel`, the choice, the new function's buffers. Flows out: one
`gpu.launch` whose body is the code of one lane.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import gpu, memref, scf, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.matrix_engine.block_io import (
    DEPTH,
    LANES,
    ROWS,
    BlockMatrix,
    Matrix,
    Placed,
    block_matrix,
    multiply,
    placed,
    store_block,
)
from bellrock.dialects.matrix_engine.frames import Dimension, Result, Zero
from bellrock.dialects.matrix_engine.operands import batch_loops, side_of
from bellrock.dialects.matrix_engine.packing import with_packed
from bellrock.dialects.matrix_engine.points import Points
from bellrock.dialects.matrix_engine.reading import EngineKernel
from bellrock.dialects.matrix_engine.tile import Choice, Tile, inside, tile_of
from bellrock.dialects.matrix_engine.views import indices
from bellrock.dialects.vector_code import Index
from bellrock.payload.motifs.base import element_bytes

_STORED_BYTES = (2, 4)
"""Sizes of elements that are stored in blocks."""


def emit_product(kernel: EngineKernel, choice: Choice, arguments: Sequence[ir.Value]) -> None:
    """Emit the launches of a kernel."""
    kernel, buffers, copies = with_packed(kernel, arguments)
    grid = (
        -(-kernel.columns.size // choice.work_group[1]),
        -(-kernel.rows.size // choice.work_group[0]),
        kernel.batch.size,
    )
    lanes = choice.sub_groups[0] * choice.sub_groups[1] * LANES
    launch = gpu.LaunchOp(grid, (lanes, 1, 1))
    block = launch.operation.regions[0].blocks[0]
    with ir.InsertionPoint(block):
        groups = [v if size > 1 else code.as_value(0)
                  for v, size in zip(list(block.arguments)[:3], grid, strict=True)]  # fmt: skip
        single = lanes == LANES
        sub_group = 0 if single else gpu.subgroup_id()
        tile = tile_of(kernel, choice, groups, sub_group, gpu.lane_id())
        _Product(tile, buffers).emit()
        gpu.terminator()
    for copy in copies:
        memref.dealloc(copy)


class _Product:
    """Emits the code of a lane."""

    def __init__(self, tile: Tile, arguments: Sequence[ir.Value]) -> None:
        self._tile, self._arguments = tile, arguments
        self._points = Points(arguments)
        kernel, choice = tile.kernel, tile.choice
        self._a = side_of(tile, kernel.a, self._points, arguments)
        self._b = side_of(tile, kernel.b, self._points, arguments)
        self._down = choice.sub_group[0] // ROWS
        self._across = choice.sub_group[1] // LANES

    def emit(self) -> None:
        """Sum products over the depth, then make the results."""
        choice, size = self._tile.choice, self._tile.kernel.depth.size
        for ahead in range(choice.prefetch_depth):
            self._prefetch(ahead * choice.k_step)
        sums = code.carried_loop(size, choice.k_step, self._start(), self._step)
        stores = [self._store_place(r) for r in self._tile.kernel.epilogue.results]
        for i in range(self._down):
            for j in range(self._across):
                self._finish(i, j, sums[i * self._across + j], stores)

    def _start(self) -> list[ir.Value]:
        f32 = ir.F32Type.get()
        count = self._down * self._across
        initial = self._tile.kernel.initial
        if initial is None:
            return [code.zeros(ROWS, f32)] * count
        return [
            self._points.at(initial, self._elements(i, j))
            for i in range(self._down)
            for j in range(self._across)
        ]

    def _prefetch(self, depth: Index) -> None:
        self._a.prefetch(depth)
        self._b.prefetch(depth)

    def _step(self, depth: Index, sums: Sequence[ir.Value]) -> list[ir.Value]:
        choice = self._tile.choice
        if choice.prefetch_depth:
            self._prefetch(code.add(depth, choice.prefetch_depth * choice.k_step))
        found = list(sums)
        for part in range(0, self._tile.depth_step, DEPTH):
            at = code.add(depth, part)
            a, b = self._a.blocks(at), self._b.blocks(at)
            for i in range(self._down):
                for j in range(self._across):
                    number = i * self._across + j
                    found[number] = multiply(a[i], b[j], found[number])
        return found

    def _elements(self, i: int, j: int) -> list[tuple[Index, ...]]:
        """Return where a lane's elements of a block of the product are in the result."""
        tile = self._tile
        column = tile.clamped_column(code.add(tile.column, j * LANES, tile.lane))
        rows = [tile.clamped_row(code.add(tile.row, i * ROWS + e)) for e in range(ROWS)]
        return [indices(tile.kernel.output, tile.loops(row=r, column=column)) for r in rows]

    def _store_place(self, result: Result) -> tuple[Placed, ir.Value] | None:
        matrix = _stored_matrix(self._tile.kernel, result, rows_fit=self._tile.rows_fit)
        if matrix is None:
            return None
        kind = ir.RankedTensorType(result.value.type).element_type
        place = placed(matrix, self._arguments[matrix.argument], kind, self._tile.batch)
        return place, place.descriptor(ROWS, LANES)

    def _finish(
        self, i: int, j: int, sums: ir.Value, stores: Sequence[tuple[Placed, ir.Value] | None]
    ) -> None:
        """Make and store the results of a block of the product."""
        tile, epilogue = self._tile, self._tile.kernel.epilogue
        elements = self._elements(i, j)
        values = epilogue.emit(self._points, sums, elements)
        row, column = code.add(tile.row, i * ROWS), code.add(tile.column, j * LANES)
        for value, result, store in zip(values, epilogue.results, stores, strict=True):
            if store is not None:
                store_block(value, store[0], store[1], row, column)
            else:
                self._store_elements(value, result, elements, row, column)

    def _store_elements(
        self,
        value: ir.Value,
        result: Result,
        elements: Sequence[Sequence[Index]],
        row: Index,
        column: Index,
    ) -> None:
        tile, kernel = self._tile, self._tile.kernel
        buffer = self._arguments[result.place.argument]
        at = code.add(column, tile.lane)

        def store(e: int) -> None:
            index = [c.at(elements[e]) for c in result.frame]
            place = code.add(
                result.place.offset,
                *(code.scaled(x, s) for x, s in zip(index, result.place.strides, strict=True)),
            )
            memref.store(vector.extract(value, [], [e]), buffer, [code.as_value(place)])

        def rows() -> None:
            for e in range(ROWS):
                if tile.rows_fit:
                    store(e)
                else:
                    _when(inside(code.add(row, e), kernel.rows), lambda e=e: store(e))

        if tile.columns_fit:
            rows()
        else:
            _when(inside(at, kernel.columns), rows)


def _when(condition: ir.Value, emit: object) -> None:
    assert callable(emit)
    op = scf.IfOp(condition)
    with ir.InsertionPoint(op.then_block):
        emit()
        scf.YieldOp([])


def _stored_matrix(kernel: EngineKernel, result: Result, *, rows_fit: bool) -> BlockMatrix | None:
    """Return the matrix that a result is in memory, if it can be stored in blocks."""
    kind = ir.RankedTensorType(result.value.type).element_type
    size = element_bytes(str(kind))
    strides: dict[int, int] = {}
    for coordinate, step in zip(result.frame, result.place.strides, strict=True):
        if isinstance(coordinate, Dimension):
            loop = kernel.output[coordinate.number].loop
            assert loop is not None, "the product has an index for each dimension"
            strides[loop] = step
        elif not isinstance(coordinate, Zero):
            return None
    across, pitch = kernel.columns.stride(strides), kernel.rows.stride(strides)
    if size not in _STORED_BYTES or across is None or pitch is None:
        return None
    if across != 1 and kernel.columns.size != 1:
        return None
    batch = batch_loops(kernel.batch, strides)
    matrix = block_matrix(
        Matrix(result.place.argument, result.place.offset, kernel.rows.size, kernel.columns.size,
               pitch, batch, size)
    )  # fmt: skip
    # Rows beyond a stacked matrix are somebody else's.
    if matrix is None or (matrix.stacked and not rows_fit):
        return None
    return matrix
