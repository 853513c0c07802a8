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

from bellrock.dialects.contraction.ahead import Tiles, ask_for_rows
from bellrock.dialects.contraction.block import Block, Run, Shape, Sums
from bellrock.dialects.contraction.engine import engine_sums, scratch
from bellrock.dialects.contraction.epilogue import Epilogue, finish_of
from bellrock.dialects.contraction.loops import (
    Size,
    add,
    at_most,
    ceil_divide,
    each,
    floor_divide,
    loop,
    minimum,
    round_down,
    subtract,
)
from bellrock.dialects.contraction.panels import (
    ReadLeft,
    ReadRight,
    Source,
    buffer,
    copy_left,
    copy_lines,
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
from bellrock.dialects.contraction.product import Product, splat
from bellrock.dialects.contraction.tile_results import put_tile


@dataclass(frozen=True, kw_only=True)
class _Panels:
    """Scratch memory of a block; None: not needed."""

    left: ir.Value | None
    right: ir.Value | None
    sums: ir.Value | None


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
        rows=axes["m"].size, columns=axes["n"].size, depth=axes["k"].size, start=start,
        finish=finish_of(epilogue, plan, product, at) if epilogue else None,
    )  # fmt: skip
    size = axes["k"].size
    most = min(shape.depth, size) if isinstance(size, int) else shape.depth
    most_units = -(-most // product.depth)
    multiple = math.gcd(size, most) if isinstance(size, int) else 1
    panels = _allocate(block, most_units)

    def part(first: Size) -> None:
        end = minimum(add(first, shape.depth), size)
        units = ceil_divide(subtract(end, first), product.depth)
        depth = Depth(
            start=first, end=end, units=units, most=most, last=at_most(size, end),
            multiple=multiple,
        )  # fmt: skip
        if panels.right is not None:
            pack_right(panels.right, block.right, shape.vectors, depth, product)
        each(0, block.rows, shape.rows, lambda row: _row_of_tiles(block, depth, row, panels))

    each(0, size, shape.depth, part)


def _allocate(block: Block, units: int) -> _Panels:
    """Allocate what a block copies to, for so many units of k."""
    shape, product = block.shape, block.product
    left = right = None
    if shape.copy_left:
        sizes = left_panel_shape(block.left, shape.rows, units, product.lanes, lines=shape.engine)
        left = buffer(sizes, product.unit)
    width = shape.vectors * product.lanes
    if shape.pack_right and shape.packed is None:
        count = -(-shape.most_columns // width)
        padded = -(-units // product.lanes) * product.lanes
        right = buffer([count, padded, width], product.unit)
    sums = scratch(shape.rows, width, product) if shape.engine else None
    return _Panels(left=left, right=right, sums=sums)


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


def _row_of_tiles(block: Block, depth: Depth, row: Size, panels: _Panels) -> None:
    shape, product = block.shape, block.product
    rows = rows_at(block.left, row, shape.rows)
    width = shape.vectors * product.lanes
    tiles = Tiles(rows=shape.rows, count=-(-shape.most_columns // width))
    run_of = (_run_of_engine if shape.engine else _run_of_registers)(block, depth, rows, panels)

    def tile(column: Size) -> None:
        number = floor_divide(column, width)
        ask_for_rows(block.left, tiles, depth, row, number)
        put_tile(block, depth, rows, column, run_of(column, number))

    each(0, block.columns, width, tile)


def _run_of_registers(
    block: Block, depth: Depth, rows: list[Size], panels: _Panels
) -> Callable[[Size, Size], Run]:
    """Copy rows, if they are to be; return what adds up at a column, which is in a panel."""
    shape, product = block.shape, block.product
    if panels.left is not None:
        read_left = copy_left(panels.left, block.left, rows, depth, product)
    else:
        read_left = left_in_place(block.left, rows, depth, product)

    def run_of(column: Size, number: Size) -> Run:
        if shape.packed is not None:
            first = floor_divide(depth.start, product.depth)
            read_right = read_packed(shape.packed, number, first, product)
        elif panels.right is not None:
            read_right = read_panel(panels.right, number, product)
        else:
            width = shape.vectors * product.lanes
            read_right = right_in_place(block.right, column, width, depth, product)
        return partial(_sum, block, depth, read_left, read_right)

    return run_of


def _run_of_engine(
    block: Block, depth: Depth, rows: list[Size], panels: _Panels
) -> Callable[[Size, Size], Run]:
    """Do the same for a matrix engine."""
    shape, product = block.shape, block.product
    assert panels.left is not None
    assert panels.sums is not None
    left, sums = panels.left, panels.sums
    copy_lines(left, block.left, rows, depth, product)

    def run_of(_: Size, number: Size) -> Run:
        right, first = panels.right, floor_divide(depth.start, product.depth)
        place = (right, number, 0) if right is not None else (shape.packed, number, first)
        return partial(
            engine_sums, left, place, sums, depth=depth, size=block.depth, product=product
        )

    return run_of


def _sum(block: Block, depth: Depth, left: ReadLeft, right: ReadRight, start: float) -> Sums:
    """Run down the depth with all accumulators in registers."""
    shape, product = block.shape, block.product
    sums = [splat(product.sums(), start)] * (shape.rows * shape.vectors)

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
    sums = loop(whole, depth.units, 1, lambda u, s: steps(1, u, s), sums)
    return lambda row, number: sums[row * shape.vectors + number]
