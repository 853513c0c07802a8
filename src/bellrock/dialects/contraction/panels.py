"""Operands of a block: read where they lie, or copied into panels that a register tile walks.

Flows in: an operand as a matrix view. Flows out: `Left` (one unit of one row at a time) and
`Right` (vectors of units). The left panel holds the rows of one register tile and stays in the
L1 cache; the right panels hold all columns of the block and stay in the L2 cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import memref, vector

from bellrock.dialects.contraction.loops import (
    Size,
    add,
    ceil_divide,
    each,
    minimum,
    multiply,
    subtract,
    value,
)
from bellrock.dialects.contraction.parts import Depth, each_panel, each_unit
from bellrock.dialects.contraction.product import Product, prefetch, store

_ALIGNMENT_BYTES = 64
_STEPS_AHEAD = 4
"""Units of k from the line that is packed to the one that is asked for."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An operand as a matrix, by where its elements lie side by side."""

    view: ir.Value
    by_rows: bool
    """Whether k is the second dimension of the view."""
    contiguous: bool
    """Whether the second dimension has step 1."""
    count: Size
    """Size along the dimension that is not k."""


ReadLeft = Callable[[int, Size], ir.Value]
"""(row of the register tile, unit of the depth) -> unit."""
ReadRight = Callable[[Size, int], ir.Value]
"""(unit of the depth, vector of the register tile) -> vector of units."""


def buffer(shape: list[int], element: ir.Type) -> ir.Value:
    """Allocate scratch memory of this thread."""
    return memref.alloca(ir.MemRefType.get(shape, element), [], [], alignment=_ALIGNMENT_BYTES)


def rows_at(source: Source, first: Size, count: int) -> list[Size]:
    """Return the indices of `count` rows; those beyond the last are the last again."""
    if isinstance(first, int) and isinstance(source.count, int):
        return [min(first + i, source.count - 1) for i in range(count)]
    last = subtract(source.count, 1)
    return [minimum(add(first, i), last) if i else first for i in range(count)]


def left_in_place(source: Source, rows: list[Size], depth: Depth, product: Product) -> ReadLeft:
    """Read units of the left operand where they lie."""

    def read(row: int, unit: Size) -> ir.Value:
        start = depth.at(unit, product)
        return product.one(
            source.view, rows[row], start, depth.left(start, product.depth), by_rows=source.by_rows
        )

    return read


def left_panel_shape(
    source: Source, rows: int, most: int, lanes: int, *, lines: bool = False
) -> list[int]:
    """Return the shape of the panel that `copy_left` fills."""
    if source.by_rows or lines:
        return [rows, -(-most // lanes) * lanes]
    return [most, -(-rows // lanes) * lanes]


def copy_left(
    panel: ir.Value, source: Source, rows: list[Size], depth: Depth, product: Product
) -> ReadLeft:
    """Copy the rows of one register tile."""
    lanes = product.lanes
    if not source.contiguous:
        _copy_elements(panel, source, rows, depth, product, lines=source.by_rows)
    elif source.by_rows:

        def copy_row_part(unit: Size, start: Size, left: Size) -> None:
            for i, row in enumerate(rows):
                units = product.along(source.view, row, start, left)
                store(units, panel, i, unit, lanes)

        each_unit(depth, lanes, product, copy_row_part)
    else:

        def copy_unit(unit: Size, start: Size, left: Size) -> None:
            for first in range(0, len(rows), lanes):
                column = add(rows[0], first)
                count = subtract(source.count, column)
                whole = isinstance(count, int) and count >= lanes
                there = lanes if whole else count
                units = product.across(source.view, start, left, column, there)
                store(units, panel, unit, first, lanes)

        each_unit(depth, 1, product, copy_unit)

    def read(row: int, unit: Size) -> ir.Value:
        place = (row, unit) if source.by_rows else (unit, row)
        return memref.load(panel, [value(p) for p in place])

    return read


def copy_lines(
    panel: ir.Value, source: Source, rows: list[Size], depth: Depth, product: Product
) -> None:
    """Copy the rows of one register tile, a line for each, whichever way the operand lies.

    Args:
        panel: of the shape `left_panel_shape(..., lines=True)`.
        source: the left operand.
        rows: of the tile.
        depth: the part of k.
        product: says what a unit is.
    """
    lanes = product.lanes
    if source.by_rows or not source.contiguous:
        if source.contiguous:
            copy_left(panel, source, rows, depth, product)
        else:
            _copy_elements(panel, source, rows, depth, product, lines=True)
        return

    def copy_square(unit: Size, start: Size, left: Size) -> None:
        if left != lanes * product.depth:  # the last units, of which a square reads too many
            end = add(unit, ceil_divide(left, product.depth))
            _copy_elements(panel, source, rows, depth, product, lines=True, units=(unit, end))
            return
        for first in range(0, len(rows), lanes):
            column = add(rows[0], first)
            there = minimum(lanes, subtract(source.count, column))
            units = [
                product.across(
                    source.view, add(start, i * product.depth), product.depth, column, there
                )
                for i in range(lanes)
            ]
            for i, line in enumerate(transposed(units)[: len(rows) - first]):
                store(line, panel, first + i, unit, lanes)

    each_unit(depth, lanes, product, copy_square)


def _copy_elements(
    panel: ir.Value, source: Source, rows: list[Size], depth: Depth, product: Product,
    *, lines: bool, units: tuple[Size, Size] | None = None,
) -> None:  # fmt: skip
    """Copy unit by unit, all or those of a range, into a line for each row or for each unit."""

    def copy_unit(unit: Size) -> None:
        start = depth.at(unit, product)
        left = depth.left(start, product.depth)
        for i, row in enumerate(rows):
            one = product.one(source.view, row, start, left, by_rows=source.by_rows)
            place = (i, unit) if lines else (unit, i)
            memref.store(one, panel, [value(p) for p in place])

    first, end = units or (0, depth.units)
    each(first, end, 1, copy_unit)


def right_in_place(
    source: Source, column: Size, width: int, depth: Depth, product: Product
) -> ReadRight:
    """Read vectors of the right operand where they lie: columns side by side."""
    whole = isinstance(source.count, int) and source.count % width == 0

    def read(unit: Size, number: int) -> ir.Value:
        start = depth.at(unit, product)
        place = add(column, number * product.lanes)
        count = product.lanes if whole else subtract(source.count, place)
        return product.across(source.view, start, depth.left(start, product.depth), place, count)

    return read


def pack_right(
    panels: ir.Value, source: Source, vectors: int, depth: Depth, product: Product
) -> None:
    """Copy all columns of a block into panels [panel][unit][column], zero where there is none."""
    width = vectors * product.lanes
    if not source.contiguous:
        _pack_elements(panels, source, width, depth, product)
    elif source.by_rows:

        def pack_squares(panel: Size, columns: Size) -> None:
            def pack_square(unit: Size, start: Size, left: Size) -> None:
                for v in range(vectors):
                    first = add(multiply(panel, width), v * product.lanes)
                    rows = _lines_at(source, first, product.lanes, whole=columns == width)
                    lines = [product.along(source.view, r, start, left) for r in rows]
                    for i, units in enumerate(transposed(lines)):
                        place = [value(panel), value(add(unit, i)), value(v * product.lanes)]
                        vector.store(units, panels, place)

            each_unit(depth, product.lanes, product, pack_square)

        each_panel(source.count, width, pack_squares)
    else:

        def pack_unit(unit: Size, start: Size, left: Size) -> None:
            def pack_part(panel: Size, columns: Size) -> None:
                for v in range(vectors):
                    column = add(multiply(panel, width), v * product.lanes)
                    whole = columns == width
                    there = product.lanes if whole else subtract(columns, v * product.lanes)
                    _ask_ahead(source, start, column, depth, product)
                    units = product.across(source.view, start, left, column, there)
                    place = [value(panel), value(unit), value(v * product.lanes)]
                    vector.store(units, panels, place)

            each_panel(source.count, width, pack_part)

        each_unit(depth, 1, product, pack_unit)


def _ask_ahead(source: Source, start: Size, column: Size, depth: Depth, product: Product) -> None:
    """Ask for the lines of a column in a later unit: each k lies in another page."""
    last, end = subtract(source.count, 1), subtract(depth.end, 1)
    for i in range(product.depth):
        k = minimum(add(start, _STEPS_AHEAD * product.depth + i), end)
        prefetch(source.view, k, minimum(column, last))


def _lines_at(source: Source, first: Size, count: int, *, whole: bool) -> list[Size]:
    """Return the columns of one square; those behind the last are the last again."""
    if whole:
        return [add(first, i) for i in range(count)]
    last = subtract(source.count, 1)
    return [minimum(add(first, i), last) for i in range(count)]


def _pack_elements(
    panels: ir.Value, source: Source, width: int, depth: Depth, product: Product
) -> None:
    def pack(column: Size, unit: Size) -> None:
        start = depth.at(unit, product)
        left = depth.left(start, product.depth)
        row = minimum(column, subtract(source.count, 1))
        one = product.one(source.view, row, start, left, by_rows=source.by_rows)
        panel = value(column) if width == 1 else ceil_divide(subtract(column, width - 1), width)
        place = [value(panel), value(unit), value(subtract(column, multiply(panel, width)))]
        memref.store(one, panels, place)

    columns = multiply(ceil_divide(source.count, width), width)
    each(0, columns, 1, lambda c: each(0, depth.units, 1, lambda u: pack(c, u)))


def read_panel(panels: ir.Value, panel: Size, product: Product) -> ReadRight:
    """Read vectors of one packed panel."""

    def read(unit: Size, number: int) -> ir.Value:
        place = [value(panel), value(unit), value(number * product.lanes)]
        return vector.load(product.units(), panels, place)

    return read


def read_packed(panels: ir.Value, panel: Size, first: Size, product: Product) -> ReadRight:
    """Read vectors of one panel of an operand that was packed before, from unit `first` on."""

    def read(unit: Size, number: int) -> ir.Value:
        return product.packed(panels, [panel, add(first, unit)], number)

    return read


def transposed(lines: list[ir.Value]) -> list[ir.Value]:
    """Transpose a square of vectors by interleaving halves, log2(lanes) times.

    Interleaving line i with line i + lanes/2 sends bit b of the pair (line, lane) to bit b + 1;
    after log2(lanes) rounds line and lane have changed places.
    """
    lanes = len(lines)
    half = lanes // 2
    low = [i for pair in range(half) for i in (pair, lanes + pair)]
    high = [i + half for i in low]
    rounds = lanes.bit_length() - 1
    for _ in range(rounds):
        paired = []
        for first, second in zip(lines[:half], lines[half:], strict=True):
            paired += [vector.shuffle(first, second, low), vector.shuffle(first, second, high)]
        lines = paired
    return lines
