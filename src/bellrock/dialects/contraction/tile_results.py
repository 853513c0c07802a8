"""Where the sums of a register tile go: into the result, or through what follows.

Flows in: a tile's place in its block, and what adds it up. Flows out: stores, masked where the
tile reaches past the block.
"""

from __future__ import annotations

from functools import partial

from torch_mlir.dialects import arith, memref

from bellrock.dialects.contraction.ahead import ask_for_result
from bellrock.dialects.contraction.block import Block, Run, Sums
from bellrock.dialects.contraction.epilogue import Finish
from bellrock.dialects.contraction.loops import (
    Size,
    add,
    at_most,
    both,
    each,
    minimum,
    subtract,
    value,
    when,
)
from bellrock.dialects.contraction.panels import buffer
from bellrock.dialects.contraction.parts import Depth
from bellrock.dialects.contraction.product import load, store


def put_tile(block: Block, depth: Depth, rows: list[Size], column: Size, run: Run) -> None:
    """Emit one register tile: its start, its sums, and where they go."""
    shape, product = block.shape, block.product
    first = rows[0]
    if not block.out_contiguous:
        _store_elements(block, run(0.0), first, column)
        return
    width = shape.vectors * product.lanes
    inside = both(
        _divides(block.rows, shape.rows) or at_most(add(first, shape.rows), block.rows),
        _divides(block.columns, width) or at_most(add(column, width), block.columns),
    )
    columns = [add(column, v * product.lanes) for v in range(shape.vectors)]
    finish = block.finish
    written = block.out if finish is None or depth.last is not True else finish.out
    ask_for_result(written, rows, columns, block.columns)
    sums = run(0.0 if block.start is None else block.start)

    def put(*, whole: bool) -> None:
        partial_sums = partial(_store, block, sums, first, column, whole=whole)
        if finish is None:
            partial_sums()
        else:
            when(depth.last, partial(partial_sums, finish=finish), partial_sums)

    when(inside, partial(put, whole=True), partial(put, whole=False))


def _store(
    block: Block, sums: Sums, first: Size, column: Size,
    *, whole: bool, finish: Finish | None = None,
) -> None:  # fmt: skip
    """Store a tile, or what of it lies inside the block; add to what is there before."""
    product, vectors = block.product, block.shape.vectors
    places = [add(column, v * product.lanes) for v in range(vectors)]
    counts = [_count(block, at, whole=whole) for at in places]
    same = [finish.of_columns(*at) for at in zip(places, counts, strict=True)] if finish else []

    def store_row(i: int) -> None:
        for v, (at, count) in enumerate(zip(places, counts, strict=True)):
            total = sums(i, v)
            if block.start is None:
                old = load(block.out, add(first, i), at, product.lanes, count)
                total = arith.addf(old, total)
            if finish is None:
                store(total, block.out, add(first, i), at, count)
            else:
                finish.put(total, (add(first, i), at), count, same[v])

    for i in range(block.shape.rows):
        there = True if whole else at_most(add(first, i + 1), block.rows)
        when(there, partial(store_row, i))


def _count(block: Block, column: Size, *, whole: bool) -> Size:
    return block.product.lanes if whole else subtract(block.columns, column)


def _divides(size: Size, by: int) -> bool:
    return isinstance(size, int) and size % by == 0


def _store_elements(block: Block, sums: Sums, first: Size, column: Size) -> None:
    """Store a tile whose columns do not lie side by side, through a small buffer."""
    shape, product = block.shape, block.product
    lanes = product.lanes
    tile = buffer([shape.rows, shape.vectors * lanes], product.accumulator)
    for i in range(shape.rows):
        for v in range(shape.vectors):
            store(sums(i, v), tile, i, v * lanes, lanes)

    def element(i: Size, j: Size) -> None:
        place = [value(add(first, i)), value(add(column, j))]
        total = memref.load(tile, [value(i), value(j)])
        if block.start is None:
            total = arith.addf(total, memref.load(block.out, place))
        elif block.start != 0.0:
            total = arith.addf(total, arith.constant(product.accumulator, block.start))
        memref.store(total, block.out, place)

    rows = minimum(shape.rows, subtract(block.rows, first))
    columns = minimum(shape.vectors * lanes, subtract(block.columns, column))
    each(0, columns, 1, lambda j: each(0, rows, 1, lambda i: element(i, j)))
