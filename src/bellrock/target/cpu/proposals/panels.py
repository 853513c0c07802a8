"""Register tiles and blocks of a contraction that are worth a prediction.

Flows in: a motif and facts. Flows out: `PanelKnobs` around the rule's choice: the register tiles of
the fewest steps, each with blocks from half to four times the rule's.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.engine_tile import tiles_in_engine
from bellrock.target.cpu.panel_rule import TALLEST, TALLEST_COPIED, default_panels
from bellrock.target.cpu.panels import ENGINE_FEATURE, PanelKnobs

TILES = 4
"""Register tiles that are proposed beside the rule's."""
LATENCY = 8
"""Accumulators that keep the multiplier busy."""
BEYOND = 2
"""Registers too many that a proposal may ask for."""
SCALES = ((1, 4), (1, 2), (1, 1), (2, 1))
"""Sizes of blocks, as parts of the rule's."""


def propose_panels(motif: Motif, default: Knobs, facts: Facts) -> Iterator[PanelKnobs]:
    """Yield tiles and blocks.

    Args:
        motif: a contraction that panels take.
        default: the target's own choice.
        facts: of the processor.
    """
    own = default if isinstance(default, PanelKnobs) else default_panels(motif, facts)
    yield from _around(motif, own, facts)
    if own.amx:  # and the same by vectors
        without = dataclasses.replace(facts, features=facts.features - {ENGINE_FEATURE})
        yield from _around(motif, default_panels(motif, without), without)


def _around(motif: Motif, own: PanelKnobs, facts: Facts) -> Iterator[PanelKnobs]:
    """Yield the tiles and blocks around a choice."""
    along_k = own.vector == "k"
    rows, columns = _roles(motif, own)
    few, many = motif.dims[rows], motif.dims[columns]
    width = 1 if along_k else own.lanes
    inside = {role: _inside(motif, own, role) for role in (rows, columns)}
    tallest = TALLEST_COPIED if own.copy else TALLEST
    if own.amx:
        usable = tiles_in_engine(few, many)
    else:
        found = _tiles(few, many, width, facts, along_k=along_k)
        usable = [tile for tile in found if along_k or tile[1] == 1 or tile[0] <= tallest]
    tiles = [(own.rows, own.columns), *usable[:TILES]]
    scales = itertools.product(SCALES, SCALES)
    for (height, vectors), (by_rows, by_columns) in itertools.product(
        dict.fromkeys(tiles), list(scales)
    ):
        row_block = _scaled(inside[rows], by_rows, height, few)
        column_block = _scaled(inside[columns], by_columns, vectors * width, many)
        tile = list(own.tile)
        _cut(tile, motif, rows, row_block)
        _cut(tile, motif, columns, column_block)
        yield dataclasses.replace(own, rows=height, columns=vectors, tile=tuple(tile))


def _roles(motif: Motif, own: PanelKnobs) -> tuple[str, str]:
    """Return the roles of a tile's rows and columns."""
    if own.vector == "k":
        return ("m", "n") if motif.dims["m"] <= motif.dims["n"] else ("n", "m")
    return ("n", "m") if own.vector == "m" else ("m", "n")


def _inside(motif: Motif, own: PanelKnobs, role: str) -> int:
    """Return the size of the rule's block along a role."""
    size = 1
    for loop in motif.loops_of(role):
        size *= own.tile[loop] or motif.loops[loop]
    return size


def _tiles(
    rows: int, columns: int, width: int, facts: Facts, *, along_k: bool
) -> list[tuple[int, int]]:
    """Return the register tiles by their steps, the fewest first, the higher among equals."""
    found: list[tuple[float, int, int]] = []
    most = min(rows, facts.vector_registers)
    heights = {-(-rows // parts) for parts in range(1, rows + 1) if -(-rows // parts) <= most}
    if rows > most:
        heights = {min(most, -(-rows // -(-rows // h))) for h in range(1, most + 1)}
    for vectors in range(1, min(8, -(-columns // width)) + 1):
        for height in heights:
            taken = height * vectors + vectors + 1
            if taken > facts.vector_registers + BEYOND:
                continue
            sums = height * vectors
            step = max(sums, height + vectors, 1 if along_k else LATENCY)
            count = -(-rows // height) * -(-columns // (vectors * width))
            found.append((count * (step + 0.3 * vectors), -height, vectors))
    return [(-height, vectors) for _, height, vectors in sorted(found)]


def _scaled(size: int, by: tuple[int, int], unit: int, whole: int) -> int:
    """Return a size times a fraction, in whole units and at most `whole`."""
    wanted = max(1, size * by[0] // by[1])
    return min(whole, -(-wanted // unit) * unit)


def _cut(tile: list[int], motif: Motif, role: str, most: int) -> None:
    """Cut the loops of a role: inner ones whole, then one cut, then 1."""
    for loop in reversed(motif.loops_of(role)):
        size = motif.loops[loop]
        tile[loop] = 0 if size <= most else max(1, most)
        most = most // size if size <= most else 1
