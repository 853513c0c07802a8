"""Seconds of a contraction by register tiles over packed panels (`dialects/contraction`).

Flows in: a motif, `PanelKnobs`, the machine. Flows out: a prediction. Terms:

* *multiply*: a step of the depth costs a register tile the largest of its multiply-adds, its loads,
  and the latency of adding to one register; lanes and rows past the border are computed in vain.
  On a matrix engine a step is 16 pairs of k (`engine_tile.py`).
* *tiles*: starting the innermost loop, storing (and between parts of k loading) the sums.
* *pack*, *copy*: the vector side into panels, the scalar side into the L1 cache, each by
  instructions or by the traffic of its source, whichever is longer. Rows that are short, or many at
  a time, are not prefetched.
* *scalar traffic*: the scalar side where it is not copied, for each block of columns.
* *weight traffic*: panels that are packed once per set of weights, from where they are between
  calls, as far as arithmetic does not hide it.
* *panel traffic*: panels that a row of tiles reads from L2, as far as arithmetic does not hide it.
* *results*: the block of the result, once for each part of k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif, Operand, element_bytes
from bellrock.target.cpu.cost.machine import FMAS_PER_CYCLE, Machine
from bellrock.target.cpu.cost.terms import ceil_div, predicted, units
from bellrock.target.cpu.engine_tile import step_cycles
from bellrock.target.cpu.panels import ENGINE_LANES, PanelKnobs, unit_role

LATENCY = 4
"""Cycles from one multiply-add to the next on the same register."""
TILE_START_CYCLES = 14
"""Of one register tile: addresses, the loops' first and last iteration."""
EXPOSED = 0.35
"""Of traffic from L2 that arithmetic does not hide."""
ROW_CYCLES = 3
"""Of a row of a tile that is stored: another line of memory."""
PACK_CYCLES = {True: 3.0, False: 6.0}
"""Of one packed vector: columns side by side in memory, or transposed in registers."""
COPY_CYCLES = 5.0
"""Of one copied vector."""
ELEMENT_CYCLES = 2.0
"""Of one element that is copied by itself."""
SUM_CYCLES = 6
"""Of adding up the lanes of one vector."""
PREFETCHED_BYTES = 2048
"""Side by side, from which on a prefetcher follows."""
UNFOLLOWED = 3.0
"""How much longer memory beyond L2 takes that no prefetcher follows."""
STREAMS = 8
"""Rows at a time that a prefetcher follows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """An average block of the result, seen as rows of scalars times vectors of columns."""

    rows: float
    columns: float
    down: float
    """Register tiles along the rows."""
    across: float
    """Register tiles along the columns."""
    k: int
    batch: int
    """Results of the batch in one block."""
    whole_columns: bool
    """Whether a block has all columns."""
    count: int
    """Blocks."""
    scalars: Operand
    """The operand whose elements are broadcast."""
    vectors: Operand
    row_role: str
    column_role: str
    result: Operand
    home: str
    """The level where operands are found from one call to the next."""
    busy: int
    """Cores that have work."""


def predict_panels(motif: Motif, knobs: PanelKnobs, machine: Machine) -> Prediction:
    """Return the time of a contraction.

    Args:
        motif: the contraction.
        knobs: its choice.
        machine: that it runs on.
    """
    swapped = knobs.vector == "m"
    if knobs.vector == "k":
        swapped = motif.dims["n"] < motif.dims["m"]
    block = _block(motif, knobs, machine, swapped=swapped)
    cycles = (_dots if knobs.vector == "k" else _tiles)(block, knobs, machine)
    each = {name: c * block.batch for name, c in cycles.items()}
    return predicted(machine, each, block.count, parallel=True)


def _block(motif: Motif, knobs: PanelKnobs, machine: Machine, *, swapped: bool) -> _Block:
    row_role, column_role = ("n", "m") if swapped else ("m", "n")
    inside = {"batch": 1, "m": 1, "n": 1, "k": 1}
    parts = dict(inside)
    for size, cut, role in zip(motif.loops, knobs.tile, motif.roles, strict=True):
        taken = min(cut, size) if cut else size
        inside[role] *= taken
        parts[role] *= ceil_div(size, taken)
    left, right, result = motif.operands
    rows, columns = motif.dims[row_role], motif.dims[column_role]
    width = knobs.columns * (1 if knobs.vector == "k" else knobs.lanes)
    count = parts["batch"] * parts["m"] * parts["n"]
    return _Block(
        rows=rows / parts[row_role],
        columns=columns / parts[column_role],
        down=units(rows, inside[row_role], knobs.rows),
        across=units(columns, inside[column_role], width),
        k=motif.dims["k"],
        batch=inside["batch"],
        whole_columns=parts[column_role] == 1,
        count=count,
        scalars=right if swapped else left, vectors=left if swapped else right,
        row_role=row_role, column_role=column_role, result=result,
        home=machine.level(max(motif.bytes or 0, machine.cache_bytes["L1d"] + 1)),
        busy=machine.busy(count),
    )  # fmt: skip


def _tiles(block: _Block, knobs: PanelKnobs, machine: Machine) -> dict[str, float]:
    """Return the cycles of one result of a batch, vectors along rows of the result."""
    lanes, pair = machine.lanes, 2 if knobs.pairs else 1
    width = knobs.columns * knobs.lanes
    parts = ceil_div(block.k, knobs.depth)
    depth = min(block.k, knobs.depth)
    sums = knobs.rows * knobs.columns
    step = max(sums, knobs.rows + knobs.columns, LATENCY * FMAS_PER_CYCLE) / FMAS_PER_CYCLE
    step += _spills(knobs, machine)
    if knobs.amx:
        step = step_cycles(knobs.rows, knobs.columns) / ENGINE_LANES
    tiles = block.down * block.across * parts
    columns = block.across * width
    result_bytes = 4 * block.rows * block.columns
    own = machine.level(result_bytes + 4 * columns * depth)
    packed = knobs.pack or unit_role(block.vectors) not in (block.column_role, "")
    level = machine.kept(columns * depth * 4 / pair) if packed else block.home
    streamed = block.down * columns * block.k * 4 / pair
    return {
        "multiply": tiles * ceil_div(block.k, parts * pair) * step,
        "tiles": tiles
        * (TILE_START_CYCLES + sums * (1 if parts == 1 else 2) + knobs.rows * ROW_CYCLES),
        "pack": 0.0
        if knobs.prepared or not packed
        else _pack(block, machine, block.k / pair * columns / lanes),
        "weight traffic": EXPOSED * _weight_traffic(block, machine) if knobs.prepared else 0.0,
        "copy": _copy(block, knobs, machine) if knobs.copy else 0.0,
        "scalar traffic": 0.0 if knobs.copy else _in_place(block, knobs, machine),
        "panel traffic": 0.0
        if level == "L1d"
        else EXPOSED * machine.cycles(streamed, level, busy=block.busy),
        "results": (2 * parts - 1) * machine.cycles(result_bytes, own, busy=block.busy)
        + machine.cycles(result_bytes, block.home, busy=block.busy),
    }


def _weight_traffic(block: _Block, machine: Machine) -> float:
    """Return the cycles of reading a block's packed columns, which lie in long lines."""
    size = element_bytes(block.vectors.dtype)
    return _traffic(block, machine, block.columns * block.k * size, followed=True)


def _spills(knobs: PanelKnobs, machine: Machine) -> float:
    """Return the cycles of a step that registers too few cost: a store and a load each."""
    missing = knobs.rows * knobs.columns + knobs.columns + 1 - machine.registers
    return max(0, missing) * 1.5


def _traffic(block: _Block, machine: Machine, moved: float, *, followed: bool) -> float:
    """Return the cycles of reading an operand once."""
    cycles = machine.cycles(moved, block.home, busy=block.busy)
    return cycles * (1 if followed or block.home in ("L1d", "L2") else UNFOLLOWED)


def _pack(block: _Block, machine: Machine, vectors: float) -> float:
    """Return the cycles of filling the panels with all of a block's columns."""
    source = block.vectors
    along = unit_role(source) in (block.column_role, "")
    if not along and unit_role(source) != "k":
        return vectors * machine.lanes * ELEMENT_CYCLES
    size = element_bytes(source.dtype)
    run = block.columns * size if along else PREFETCHED_BYTES
    followed = run >= PREFETCHED_BYTES or (along and block.whole_columns)
    traffic = _traffic(block, machine, block.columns * block.k * size, followed=followed)
    return max(vectors * PACK_CYCLES[along], traffic)


def _copy(block: _Block, knobs: PanelKnobs, machine: Machine) -> float:
    """Return the cycles of copying the rows of all tiles, once each."""
    source, lanes = block.scalars, machine.lanes
    parts = ceil_div(block.k, knobs.depth)
    role = unit_role(source)
    if role in ("k", ""):
        vectors = block.down * knobs.rows * parts * ceil_div(ceil_div(block.k, parts), lanes)
    elif role == block.row_role:
        vectors = block.down * ceil_div(knobs.rows, lanes) * block.k
    else:
        return block.down * knobs.rows * block.k * ELEMENT_CYCLES
    moved = block.rows * block.k * element_bytes(source.dtype)
    return max(vectors * COPY_CYCLES, _traffic(block, machine, moved, followed=True))


def _in_place(block: _Block, knobs: PanelKnobs, machine: Machine) -> float:
    """Return the cycles of reading the rows of all tiles where they lie."""
    source = block.scalars
    moved = block.rows * block.k * element_bytes(source.dtype)
    # A tile's rows are as many streams, unless they are one: short rows behind each other.
    run = block.k * element_bytes(source.dtype) if unit_role(source) in ("k", "") else 0
    followed = knobs.rows <= STREAMS or 0 < run < PREFETCHED_BYTES
    return EXPOSED * _traffic(block, machine, moved, followed=followed)


def _dots(block: _Block, knobs: PanelKnobs, machine: Machine) -> dict[str, float]:
    """Return the cycles of one result of a batch, vectors along k."""
    pair = 2 if knobs.pairs else 1
    sums = knobs.rows * knobs.columns
    chains = max(1, knobs.unroll)
    waits = LATENCY * FMAS_PER_CYCLE / chains
    step = max(sums, knobs.rows + knobs.columns, waits) / FMAS_PER_CYCLE
    tiles = block.down * block.across
    steps = math.ceil(block.k / (machine.lanes * pair))
    multiply = tiles * steps * step
    few = block.rows * block.k * element_bytes(block.scalars.dtype)
    many = block.columns * block.k * element_bytes(block.vectors.dtype)
    # The few rows come again for each tile of columns, from where they fit.
    again = machine.cycles(few * block.across, machine.level(few), busy=block.busy)
    traffic = machine.cycles(many, block.home, busy=block.busy) + (
        0.0 if machine.level(few) == "L1d" else again
    )
    return {
        "multiply": multiply,
        "tiles": tiles * (TILE_START_CYCLES + sums * SUM_CYCLES),
        "operand traffic": max(0.0, traffic - multiply) + EXPOSED * min(traffic, multiply),
    }
