"""What becomes of the sums of a product: its results, in memory.

Flows in: blocks of sums in the lanes of a sub-group. Flows out: fused ops on them, and stores: of
blocks where memory lets one, of elements that are in the matrices elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import memref, scf, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.matrix_engine.block_io import (
    LANES,
    ROWS,
    BlockMatrix,
    Matrix,
    Placed,
    block_matrix,
    placed,
    store_block,
)
from bellrock.dialects.matrix_engine.frames import Dimension, Result, Zero
from bellrock.dialects.matrix_engine.operands import batch_loops
from bellrock.dialects.matrix_engine.points import Points
from bellrock.dialects.matrix_engine.reading import EngineKernel
from bellrock.dialects.matrix_engine.tile import Tile, inside
from bellrock.dialects.matrix_engine.views import indices
from bellrock.dialects.vector_code import Index
from bellrock.payload.motifs.base import element_bytes

_STORED_BYTES = (2, 4)
"""Sizes of elements that are stored in blocks."""


class Results:
    """Emits the code of a lane from its sums on."""

    def __init__(self, tile: Tile, buffers: Sequence[ir.Value]) -> None:
        """Write the results of a tile."""
        self._tile, self._buffers = tile, buffers
        self._points = Points(buffers)
        self._down, self._across = tile.blocks

    def start(self) -> list[ir.Value]:
        """Return what the sums of the tile's blocks start from."""
        initial = self._tile.kernel.initial
        if initial is None:
            return [code.zeros(ROWS, ir.F32Type.get())] * (self._down * self._across)
        return [
            self._points.at(initial, self._elements(i, j))
            for i in range(self._down)
            for j in range(self._across)
        ]

    def emit(self, sums: Sequence[ir.Value]) -> None:
        """Make and store the results of a tile."""
        stores = [self._store_place(r) for r in self._tile.kernel.epilogue.results]
        for i in range(self._down):
            for j in range(self._across):
                self._finish(i, j, sums[i * self._across + j], stores)

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
        place = placed(matrix, self._buffers[matrix.argument], kind, self._tile.batch)
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
        buffer = self._buffers[result.place.argument]
        at = code.add(column, tile.lane)
        moves = ((ir.BlockArgument(v).arg_number, step) for v, step in result.moved)
        start = code.add(
            result.place.offset, *(code.scaled(self._buffers[n], step) for n, step in moves)
        )

        def store(e: int) -> None:
            index = [c.at(elements[e]) for c in result.frame]
            place = code.add(
                start,
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
    if result.moved:
        return None  # where it starts is not known
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
