"""Sums of one register tile in the tile registers of a matrix engine (x86 AMX).

Flows in: panels of both operands, in units of two bf16. Flows out: loops that leave the sums in
scratch memory, from where what follows reads them a vector at a time.

A tile register has 16 lines of 64 bytes. One multiplication takes 16 units of k: from the left a
line for each row, from the right a line for each unit, of 16 columns, which is just how panels of
pairs lie. Fewer rows, or the last units of k, are multiplied with shorter tiles: nothing beyond a
panel's units is read.
"""

from __future__ import annotations

from collections.abc import Callable

from torch_mlir import ir
from torch_mlir.dialects import arith, vector, x86

from bellrock.dialects.contraction.loops import Size, add, loop, round_down, value
from bellrock.dialects.contraction.panels import buffer
from bellrock.dialects.contraction.parts import Depth
from bellrock.dialects.contraction.product import Product, splat
from bellrock.errors import CompileError

LINES = 16
"""Of a tile register: rows of the left operand or of sums, units of k of the right one."""


def scratch(rows: int, columns: int, product: Product) -> ir.Value:
    """Allocate memory for the sums of one register tile."""
    return buffer([rows, columns], product.accumulator)


def engine_sums(
    left: ir.Value, right: tuple[ir.Value, Size, Size], sums: ir.Value, start: float,
    *, depth: Depth, size: Size, product: Product,
) -> Callable[[int, int], ir.Value]:  # fmt: skip
    """Add up one register tile over a part of k.

    Args:
        left: panel [row][unit].
        right: panels [panel][unit][column], the panel, and the unit at which the part starts.
        sums: from `scratch`, as large as the register tile.
        start: what is added to.
        depth: the part of k.
        size: elements of k in all.
        product: pairs of bf16.

    Returns:
        (row, number of the vector) -> sums, loaded where it is called.

    Raises:
        CompileError: the length of k is not known, or parts of it are not whole tiles.
    """
    rows, columns = ir.MemRefType(sums.type).shape
    heights = [min(LINES, rows - first) for first in range(0, rows, LINES)]
    count = columns // product.lanes
    last = _last_units(depth, size, product)

    def steps(units: int, unit: Size, tiles: list[ir.Value]) -> list[ir.Value]:
        panels, panel, first = right
        wide = ir.MemRefType(panels.type).shape[-1] // count
        at = [value(panel), value(add(first, unit))]
        rights = [
            x86.amx_tile_load(_pairs(units, product.lanes), panels, [*at, value(v * wide)])
            for v in range(count)
        ]
        made = []
        for i, height in enumerate(heights):
            place = [value(i * LINES), value(unit)]
            lines = x86.amx_tile_load(_pairs(height, units), left, place)
            for v in range(count):
                made.append(x86.amx_tile_mulf(lines, rights[v], tiles[i * count + v]))
        return made

    kinds = [_tile(h, product.lanes, product.accumulator) for h in heights for _ in range(count)]
    tiles = [x86.amx_tile_zero(kind) for kind in kinds]
    whole = round_down(depth.units, LINES)
    tiles = loop(0, whole, LINES, lambda u, t: steps(LINES, u, t), tiles)
    if last:
        tiles = loop(whole, depth.units, LINES, lambda u, t: steps(last, u, t), tiles)
    for i in range(len(heights)):
        for v in range(count):
            place = [value(i * LINES), value(v * product.lanes)]
            x86.amx_tile_store(sums, place, tiles[i * count + v])

    def total(row: int, number: int) -> ir.Value:
        found = vector.load(product.sums(), sums, [value(row), value(number * product.lanes)])
        return found if start == 0.0 else arith.addf(found, splat(product.sums(), start))

    return total


def _last_units(depth: Depth, size: Size, product: Product) -> int:
    """Return how many units the last part of k has beyond whole tiles."""
    elements = LINES * product.depth
    if not isinstance(size, int) or (size > depth.most and depth.most % elements):
        raise CompileError(
            "a matrix engine needs to know the length of k, and parts of whole tiles",
            got=f"k of {size if isinstance(size, int) else '?'} in parts of {depth.most}",
            allowed=f"parts of a multiple of {elements}, or k in one part",
        )
    return -(-size // product.depth) % LINES


def _pairs(lines: int, units: int) -> ir.Type:
    """Return the type of a tile of pairs."""
    return _tile(lines, 2 * units, ir.BF16Type.get())


def _tile(lines: int, elements: int, element: ir.Type) -> ir.Type:
    return ir.Type.parse(f"!x86.amx.tile<{lines}x{elements}x{element}>")
