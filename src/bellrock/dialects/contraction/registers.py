"""A block of a contraction as register tiles: rows of scalars times vectors of columns.

Flows in: a `Plan` whose result has its columns side by side (or not: then element by element).
Flows out: loops. For each part of the depth the right operand is packed once, then for each
tile's rows the left is copied, and the accumulators of a tile live in registers over the depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch_mlir import ir
from torch_mlir.dialects import arith, memref

from bellrock.dialects.contraction.ahead import Tiles, ask_for_result, ask_for_rows
from bellrock.dialects.contraction.epilogue import Epilogue, Finish, finish_of
from bellrock.dialects.contraction.loops import (
    Size,
    add,
    at_most,
    both,
    ceil_divide,
    each,
    floor_divide,
    loop,
    minimum,
    round_down,
    subtract,
    value,
    when,
)
from bellrock.dialects.contraction.panels import (
    ReadLeft,
    ReadRight,
    Source,
    buffer,
    copy_left,
    left_in_place,
    left_panel_shape,
    pack_right,
    read_packed,
    read_panel,
    right_in_place,
    rows_at,
)
from bellrock.dialects.contraction.parts import Depth
from bellrock.dialects.contraction.plan import LEFT, OUT, RIGHT, Plan, contiguous
from bellrock.dialects.contraction.product import Product, load, splat, store


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The choice for one block."""

    rows: int
    """Rows of a register tile."""
    vectors: int
    """Vectors in a row of a register tile."""
    depth: int
    """Elements of k that are worked on at a time."""
    unroll: int
    """Units of k in one iteration of the innermost loop."""
    copy_left: bool
    pack_right: bool
    most_columns: int
    """Columns of the largest block."""
    packed: ir.Value | None = None
    """The right operand of the block in panels, by panel, unit of k, column; where it is packed
    before."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of the result, with all that its loops need."""

    shape: Shape
    product: Product
    left: Source
    right: Source
    out: ir.Value
    out_contiguous: bool
    rows: Size
    columns: Size
    finish: Finish | None
    """What follows the last part of k."""
    start: float | None
    """What accumulators start from; None: the result's old value."""


Run = Callable[[list[ir.Value]], list[ir.Value]]
"""Sums over the depth, from what they start from."""


def emit_tiles(
    plan: Plan, shape: Shape, product: Product, start: float | None, at: list[Size],
    epilogue: Epilogue | None = None,
) -> None:  # fmt: skip
    """Emit a block.

    Args:
        plan: of the contraction.
        shape: the choice.
        product: how to multiply.
        start: initial value of the result, or None to add to what is there.
        at: index of each outer loop.
        epilogue: what follows, whose operands are the plan's behind the result.
    """
    axes = plan.axes
    block = Block(
        shape=shape, product=product,
        left=source_of(plan, LEFT, "m", at), right=source_of(plan, RIGHT, "n", at),
        out=plan.view(OUT, "m", "n", at), out_contiguous=contiguous(plan, OUT, "n"),
        rows=axes["m"].size, columns=axes["n"].size, start=start,
        finish=finish_of(epilogue, plan, product, at) if epilogue else None,
    )  # fmt: skip
    size = axes["k"].size
    most = min(shape.depth, size) if isinstance(size, int) else shape.depth
    most_units = -(-most // product.depth)
    multiple = math.gcd(size, most) if isinstance(size, int) else 1
    panel = panels = None
    if shape.copy_left:
        panel = buffer(
            left_panel_shape(block.left, shape.rows, most_units, product.lanes), product.unit
        )
    if shape.pack_right and shape.packed is None:
        width = shape.vectors * product.lanes
        count = -(-shape.most_columns // width)
        padded = -(-most_units // product.lanes) * product.lanes
        panels = buffer([count, padded, width], product.unit)

    def part(first: Size) -> None:
        end = minimum(add(first, shape.depth), size)
        units = ceil_divide(subtract(end, first), product.depth)
        depth = Depth(
            start=first, end=end, units=units, most=most, last=at_most(size, end),
            multiple=multiple,
        )  # fmt: skip
        if panels is not None:
            pack_right(panels, block.right, shape.vectors, depth, product)
        each(0, block.rows, shape.rows, lambda row: _row_of_tiles(block, depth, row, panel, panels))

    each(0, size, shape.depth, part)


def source_of(plan: Plan, operand: int, role: str, at: list[Size]) -> Source:
    """Return the matrix of an operand with what lies side by side as its second dimension."""
    along_depth = contiguous(plan, operand, "k")
    other = contiguous(plan, operand, role)
    by_rows = along_depth and (plan.axes["k"].size != 1 or not other)
    dims = (role, "k") if by_rows else ("k", role)
    return Source(
        view=plan.view(operand, *dims, at),
        by_rows=by_rows,
        contiguous=along_depth or other,
        count=plan.axes[role].size,
    )


def _row_of_tiles(
    block: Block, depth: Depth, row: Size, panel: ir.Value | None, panels: ir.Value | None
) -> None:
    shape, product = block.shape, block.product
    rows = rows_at(block.left, row, shape.rows)
    if panel is not None:
        read_left = copy_left(panel, block.left, rows, depth, product)
    else:
        read_left = left_in_place(block.left, rows, depth, product)
    width = shape.vectors * product.lanes
    tiles = Tiles(rows=shape.rows, count=-(-shape.most_columns // width))

    def tile(column: Size) -> None:
        ask_for_rows(block.left, tiles, depth, row, floor_divide(column, width))
        if shape.packed is not None:
            first = floor_divide(depth.start, product.depth)
            read_right = read_packed(shape.packed, floor_divide(column, width), first, product)
        elif panels is not None:
            read_right = read_panel(panels, floor_divide(column, width), product)
        else:
            read_right = right_in_place(block.right, column, width, depth, product)
        run = partial(_sum, block, depth, read_left, read_right)
        _tile(block, depth, rows, column, run)

    each(0, block.columns, width, tile)


def _sum(
    block: Block, depth: Depth, left: ReadLeft, right: ReadRight, sums: list[ir.Value]
) -> list[ir.Value]:
    """Run down the depth with all accumulators in registers."""
    shape, product = block.shape, block.product

    def steps(count: int, first: Size, sums: list[ir.Value]) -> list[ir.Value]:
        for step in range(count):
            unit = add(first, step)
            vectors = [right(unit, v) for v in range(shape.vectors)]
            for i in range(shape.rows):
                scalar = product.repeat(left(i, unit))
                for v, vector_value in enumerate(vectors):
                    at = i * shape.vectors + v
                    sums[at] = product.multiply_add(scalar, vector_value, sums[at])
        return sums

    whole = round_down(depth.units, shape.unroll)
    sums = loop(0, whole, shape.unroll, lambda u, s: steps(shape.unroll, u, s), sums)
    return loop(whole, depth.units, 1, lambda u, s: steps(1, u, s), sums)


def _tile(block: Block, depth: Depth, rows: list[Size], column: Size, run: Run) -> None:
    """Emit one register tile: its start, its sums, and where they go."""
    shape, product = block.shape, block.product
    first = rows[0]
    if not block.out_contiguous:
        zeros = [splat(product.sums(), 0.0)] * (shape.rows * shape.vectors)
        _store_elements(block, run(zeros), first, column)
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
    number = 0.0 if block.start is None else block.start
    sums = run([splat(product.sums(), number)] * (shape.rows * shape.vectors))

    def put(*, whole: bool) -> None:
        partial_sums = partial(_store, block, sums, first, column, whole=whole)
        if finish is None:
            partial_sums()
        else:
            when(depth.last, partial(partial_sums, finish=finish), partial_sums)

    when(inside, partial(put, whole=True), partial(put, whole=False))


def _store(
    block: Block, sums: list[ir.Value], first: Size, column: Size,
    *, whole: bool, finish: Finish | None = None,
) -> None:  # fmt: skip
    """Store a tile, or what of it lies inside the block; add to what is there before."""
    product, vectors = block.product, block.shape.vectors
    places = [add(column, v * product.lanes) for v in range(vectors)]
    counts = [_count(block, at, whole=whole) for at in places]
    same = [finish.of_columns(*at) for at in zip(places, counts, strict=True)] if finish else []

    def store_row(i: int) -> None:
        for v, (at, count) in enumerate(zip(places, counts, strict=True)):
            total = sums[i * vectors + v]
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


def _store_elements(block: Block, sums: list[ir.Value], first: Size, column: Size) -> None:
    """Store a tile whose columns do not lie side by side, through a small buffer."""
    shape, product = block.shape, block.product
    lanes = product.lanes
    tile = buffer([shape.rows, shape.vectors * lanes], product.accumulator)
    for i in range(shape.rows):
        for v in range(shape.vectors):
            store(sums[i * shape.vectors + v], tile, i, v * lanes, lanes)

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
