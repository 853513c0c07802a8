"""A block of a contraction as inner products: vectors run along k in both operands.

Flows in: a `Plan` whose operands both have k side by side. Flows out: loops. Nothing is
copied: where one operand has few rows, the other is read once, along memory. Each element of
the result has a vector of partial sums (several, where one would wait for itself), added up
at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, vector

from bellrock.dialects.contraction.block import Shape
from bellrock.dialects.contraction.lane_sums import FEWEST, lane_sums
from bellrock.dialects.contraction.loops import (
    Size,
    add,
    at_most,
    both,
    each,
    loop,
    round_down,
    subtract,
    value,
    when,
)
from bellrock.dialects.contraction.panels import rows_at
from bellrock.dialects.contraction.plan import LEFT, OUT, RIGHT, Plan, contiguous
from bellrock.dialects.contraction.product import Product, splat
from bellrock.dialects.contraction.registers import source_of


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """The rows of both operands that one tile multiplies."""

    left: ir.Value
    right: ir.Value
    rows: list[Size]
    columns: list[Size]
    size: Size
    """Elements of k."""


@dataclass(frozen=True, kw_only=True)
class _Tile:
    """Where a tile's elements go."""

    out: ir.Value
    row: Size
    column: Size
    rows: Size
    """Of the block."""
    columns: Size
    contiguous: bool
    """Whether the elements of a row lie side by side."""
    width: int
    """Elements of a row."""
    start: float | None


def emit_dots(
    plan: Plan, shape: Shape, product: Product, start: float | None, at: list[Size]
) -> None:
    """Emit a block (arguments as of `registers.emit_tiles`; `vectors` counts columns)."""
    left, right = source_of(plan, LEFT, "m", at), source_of(plan, RIGHT, "n", at)
    out = plan.view(OUT, "m", "n", at)

    def tile(row: Size, column: Size) -> None:
        lines = _Lines(
            left=left.view, right=right.view, size=plan.axes["k"].size,
            rows=rows_at(left, row, shape.rows), columns=rows_at(right, column, shape.vectors),
        )  # fmt: skip
        totals = _totals(lines, shape.unroll, product)
        tile_out = _Tile(
            out=out, row=row, column=column, rows=left.count, columns=right.count,
            contiguous=contiguous(plan, OUT, "n"), width=shape.vectors, start=start,
        )  # fmt: skip
        _put_tile(tile_out, totals, product)

    def tiles_of(column: Size) -> None:
        each(0, left.count, shape.rows, lambda row: tile(row, column))

    # The left has few rows: they stay in the caches while the right is read once.
    each(0, right.count, shape.vectors, tiles_of)


def _totals(lines: _Lines, chains: int, product: Product) -> list[ir.Value]:
    """Return a vector of partial sums for each pair of lines."""
    lanes = product.lanes * product.depth
    tiles = len(lines.rows) * len(lines.columns)

    def step(start: Size, left: Size, sums: list[ir.Value]) -> list[ir.Value]:
        lefts = [product.along(lines.left, r, start, left) for r in lines.rows]
        rights = [product.along(lines.right, c, start, left) for c in lines.columns]
        pairs = [(a, b) for a in lefts for b in rights]
        return [product.multiply_add(a, b, s) for (a, b), s in zip(pairs, sums, strict=True)]

    def steps(start: Size, sums: list[ir.Value]) -> list[ir.Value]:
        parts = [
            step(add(start, i * lanes), lanes, sums[i * tiles : (i + 1) * tiles])
            for i in range(chains)
        ]
        return [s for part in parts for s in part]

    zero = splat(product.sums(), 0.0)
    whole = round_down(lines.size, lanes * chains)
    sums = loop(0, whole, lanes * chains, steps, [zero] * (tiles * chains))
    totals = sums[:tiles]
    for i in range(1, chains):
        totals = [arith.addf(t, s) for t, s in zip(totals, sums[i * tiles :], strict=False)]
    size = lines.size
    return loop(whole, size, lanes, lambda start, s: step(start, subtract(size, start), s), totals)


def _put_tile(tile: _Tile, totals: list[ir.Value], product: Product) -> None:
    """Add up the lanes of all sums of a tile, several at once, and store them."""
    width = tile.width
    rows = len(totals) // width
    together = max(1, product.lanes // width)
    for first in range(0, rows, together):
        last = min(rows, first + together)
        group = totals[first * width : last * width]
        if FEWEST <= len(group) <= product.lanes:
            sums = lane_sums(group, splat(product.sums(), 0.0))
            for i in range(first, last):
                _put_row(tile, i, sums, (i - first) * width, product)
        else:
            for at, total in enumerate(group, first * width):
                _put_one(tile, at // width, at % width, partial(_lanes_of, total, product))


def _put_row(tile: _Tile, i: int, sums: ir.Value, at: int, product: Product) -> None:
    """Store one row of a tile, whose sums are `width` lanes from `at` on."""
    whole = both(
        at_most(add(tile.row, i + 1), tile.rows),
        at_most(add(tile.column, tile.width), tile.columns),
    )

    def together() -> None:
        kind = ir.VectorType.get([tile.width], product.accumulator)
        part = vector.extract_strided_slice(kind, sums, [at], [tile.width], [1])
        place = [value(add(tile.row, i)), value(tile.column)]
        if tile.start is None:
            part = arith.addf(part, vector.load(kind, tile.out, place))
        elif tile.start != 0.0:
            part = arith.addf(part, splat(kind, tile.start))
        vector.store(part, tile.out, place)

    def apart() -> None:
        for j in range(tile.width):
            _put_one(tile, i, j, partial(_lane, sums, at + j, product))

    if tile.contiguous and tile.width > 1:
        when(whole, together, apart)
    else:
        apart()


def _put_one(tile: _Tile, i: int, j: int, total: Callable[[ir.Value], ir.Value]) -> None:
    """Store one element, if it lies inside the block."""
    row, column = add(tile.row, i), add(tile.column, j)
    inside = both(at_most(add(row, 1), tile.rows), at_most(add(column, 1), tile.columns))

    def put() -> None:
        place = [value(row), value(column)]
        kind = tile.out.type.element_type
        before = (
            memref.load(tile.out, place) if tile.start is None else arith.constant(kind, tile.start)
        )
        memref.store(total(before), tile.out, place)

    when(inside, put)


def _lanes_of(total: ir.Value, product: Product, before: ir.Value) -> ir.Value:
    # Lanes may be added up in any order.
    fast = arith.FastMathFlags.reassoc
    kind = product.accumulator
    return vector.reduction(kind, vector.CombiningKind.ADD, total, acc=before, fastmath=fast)


def _lane(sums: ir.Value, at: int, product: Product, before: ir.Value) -> ir.Value:
    return arith.addf(before, vector.extract(sums, dynamic_position=[], static_position=[at]))
