"""A block of a contraction as inner products: vectors run along k in both operands.

Flows in: a `Plan` whose operands both have k side by side. Flows out: loops. Nothing is
copied: where one operand has few rows, the other is read once, along memory. Each element of
the result has a vector of partial sums (several, where one would wait for itself), added up
at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, vector

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
from bellrock.dialects.contraction.plan import LEFT, OUT, RIGHT, Plan
from bellrock.dialects.contraction.product import Product, splat
from bellrock.dialects.contraction.registers import Shape, source_of


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """The rows of both operands that one tile multiplies."""

    left: ir.Value
    right: ir.Value
    rows: list[Size]
    columns: list[Size]
    size: Size
    """Elements of k."""


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
        for i in range(shape.rows):
            for j in range(shape.vectors):
                inside = both(
                    at_most(add(row, i + 1), left.count), at_most(add(column, j + 1), right.count)
                )
                place = (add(row, i), add(column, j))
                total = totals[i * shape.vectors + j]
                when(inside, lambda t=total, p=place: _put(t, out, p, start, product))

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


def _put(
    total: ir.Value, out: ir.Value, place: tuple[Size, Size], start: float | None, product: Product
) -> None:
    indices = [value(p) for p in place]
    kind = product.accumulator
    before = memref.load(out, indices) if start is None else arith.constant(kind, start)
    # Lanes may be added up in any order.
    fast = arith.FastMathFlags.reassoc
    element = vector.reduction(kind, vector.CombiningKind.ADD, total, acc=before, fastmath=fast)
    memref.store(element, out, indices)
