"""The register tile of a contraction on the matrix engine of x86 processors (AMX).

Flows in: sizes of a contraction. Flows out: rows and vectors of a register tile, and how many
cycles one step of it takes, which the rule and the cost model share. Cycles are those that Intel's
optimisation manual gives for Sapphire Rapids (chapter on AMX): no such processor was measured.
"""

from __future__ import annotations

import math

from bellrock.target.cpu.panels import ENGINE_LANES, ENGINE_TILES

LOAD_CYCLES = 8
"""Between two loads of tiles."""
LATENCY_CYCLES = 52
"""From one multiplication to the next into the same tile."""
MOST_ROWS = 32
"""Of a register tile: with 1 KiB of each, they fill the better part of an L1 cache of 48 KiB."""
FEWEST_ROWS = 8
"""With fewer, reading the columns is what takes the time."""


def suits_engine(rows: int, k: int, lanes: int) -> bool:
    """Return whether tiles of pairs are worth it: enough rows, and at least one whole step of k."""
    return lanes == ENGINE_LANES and rows >= FEWEST_ROWS and k >= 2 * ENGINE_LANES


def step_cycles(rows: int, vectors: int) -> float:
    """Return the cycles in which a register tile takes 32 elements of k.

    Args:
        rows: of the register tile; a multiplication takes as many cycles as its tile has lines.
        vectors: of 16 columns.
    """
    loads = LOAD_CYCLES * (-(-rows // ENGINE_LANES) + vectors)
    return max(rows * vectors, loads, LATENCY_CYCLES)


def engine_tile(rows: int, columns: int) -> tuple[int, int]:
    """Return rows and vectors of the register tile that takes the fewest cycles."""
    best, best_cost = (1, 1), math.inf
    for height, vectors in tiles_in_engine(rows, columns):
        count = -(-rows // height) * -(-columns // (vectors * ENGINE_LANES))
        cost = count * step_cycles(height, vectors)
        if cost < best_cost:
            best, best_cost = (height, vectors), cost
    return best


def tiles_in_engine(rows: int, columns: int) -> list[tuple[int, int]]:
    """Return rows and vectors of all register tiles that fit, the highest first."""
    most = -(-columns // ENGINE_LANES)
    found = []
    for tiles in range(MOST_ROWS // ENGINE_LANES, 0, -1):
        height = min(rows, tiles * ENGINE_LANES)
        found += [
            (height, vectors)
            for vectors in range(1, min(most, ENGINE_TILES) + 1)
            if -(-height // ENGINE_LANES) * vectors + vectors + 1 <= ENGINE_TILES
        ]
    return list(dict.fromkeys(found))
