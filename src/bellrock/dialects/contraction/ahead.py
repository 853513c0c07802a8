"""Lines of memory that a block asks for before it needs them.

Flows in: where a block is. Flows out: prefetches. The rows of a tile lie in as many pages, each
for a few lines only, which is too little for hardware to follow. So a tile asks for its part of
the result before it adds up, and, with each column tile, for a few lines of the next tile's rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.contraction.loops import Size, add, minimum, multiply, subtract
from bellrock.dialects.contraction.panels import Source
from bellrock.dialects.contraction.parts import Depth
from bellrock.dialects.contraction.product import prefetch
from bellrock.payload.motifs.base import element_bytes

_LINE_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """The column tiles of a block, with which its next rows are asked for."""

    rows: int
    """Rows of a tile."""
    count: int
    """Most column tiles in a block."""


def ask_for_result(out: ir.Value, rows: list[Size], columns: list[Size], count: Size) -> None:
    """Ask for a tile's part of the result, which is needed when the sums are done.

    Args:
        out: the block.
        rows: of the tile.
        columns: at which its vectors start.
        count: columns of the block.
    """
    last = subtract(count, 1)
    for row in rows:
        for column in columns:
            prefetch(out, row, minimum(column, last), write=True)


def ask_for_rows(left: Source, tiles: Tiles, depth: Depth, row: Size, tile: Size) -> None:
    """Ask for this column tile's share of the next row tile's part of the left operand.

    Args:
        left: the operand.
        tiles: of the block.
        depth: the part of k.
        row: first of the row tile that is worked on.
        tile: number of the column tile.
    """
    if isinstance(left.count, int) and left.count <= tiles.rows:
        return
    # Where k is not side by side a line holds one k of several rows, which lie in two at most.
    side_by_side = left.contiguous and left.by_rows
    line = _LINE_BYTES // element_bytes(str(left.view.type.element_type)) if side_by_side else 1
    wanted = range(tiles.rows) if side_by_side else (0, tiles.rows - 1)
    last = subtract(left.count, 1)
    rows = [minimum(add(row, tiles.rows + i), last) for i in wanted]
    lines = math.ceil(depth.most / line)
    share = math.ceil(lines / tiles.count)
    first = add(depth.start, multiply(tile, share * line))
    for i in range(share):
        k = minimum(add(first, i * line), subtract(depth.end, 1))
        for each_row in rows:
            place = (each_row, k) if left.by_rows else (k, each_row)
            prefetch(left.view, *place)
