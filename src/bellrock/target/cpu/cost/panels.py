"""Seconds of a contraction by register tiles over packed panels (`dialects/contraction`).

Flows in: a motif, `PanelKnobs`, the machine. Flows out: a prediction. Terms:

* *multiply*: a step of the depth costs a register tile the largest of its multiply-adds, its loads,
  and the latency of adding to one register; lanes and rows past the border are computed in vain.
* *tiles*: starting the innermost loop, storing (and between parts of k loading) the sums.
* *pack*, *copy*: the vector side into panels, the scalar side into the L1 cache, each by
  instructions or by the traffic of its source, whichever is longer.
* *panel traffic*: panels that a row of tiles reads from L2, as far as arithmetic does not hide it.
* *results*: the block of the result, once for each part of k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif, Operand, element_bytes
from bellrock.target.cpu.cost.machine import FMAS_PER_CYCLE, Machine
from bellrock.target.cpu.cost.terms import ceil_div, predicted
from bellrock.target.cpu.panels import PanelKnobs, unit_role

LATENCY = 4
"""Cycles from one multiply-add to the next on the same register."""
TILE_START_CYCLES = 14
"""Of one register tile: addresses, the loops' first and last iteration."""
EXPOSED = 0.35
"""Of traffic from L2 that arithmetic does not hide."""
PACK_CYCLES = {True: 2.0, False: 6.0}
"""Of one packed vector: columns side by side in memory, or transposed in registers."""
ELEMENT_CYCLES = 2.0
"""Of one element that is copied by itself."""
SUM_CYCLES = 6
"""Of adding up the lanes of one vector."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """An average block of the result, seen as rows of scalars times vectors of columns."""

    rows: int
    columns: int
    k: int
    batch: int
    """Results of the batch in one block."""
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
    total = motif.bytes or 0
    count = parts["batch"] * parts["m"] * parts["n"]
    return _Block(
        # An average block: the last one of a role may be smaller.
        rows=ceil_div(motif.dims[row_role], parts[row_role]),
        columns=ceil_div(motif.dims[column_role], parts[column_role]),
        k=motif.dims["k"],
        batch=inside["batch"],
        count=count,
        scalars=right if swapped else left, vectors=left if swapped else right,
        row_role=row_role, column_role=column_role, result=result,
        home=machine.level(max(total, machine.cache_bytes["L1d"] + 1)),
        busy=machine.busy(count),
    )  # fmt: skip


def _tiles(block: _Block, knobs: PanelKnobs, machine: Machine) -> dict[str, float]:
    """Return the cycles of one result of a batch, vectors along rows of the result."""
    lanes, pair = machine.lanes, 2 if knobs.pairs else 1
    width = knobs.columns * knobs.lanes
    down, across = ceil_div(block.rows, knobs.rows), ceil_div(block.columns, width)
    parts = ceil_div(block.k, knobs.depth)
    sums = knobs.rows * knobs.columns
    step = max(sums, knobs.rows + knobs.columns, LATENCY * FMAS_PER_CYCLE) / FMAS_PER_CYCLE
    step += _spills(knobs, machine)
    tiles = down * across * parts
    columns = across * width
    depth_vectors = block.k / pair * columns / lanes
    result_bytes = 4 * block.rows * block.columns
    own = machine.level(result_bytes + 4 * columns * min(block.k, knobs.depth))
    side_by_side = unit_role(block.vectors) in (block.column_role, "")
    packed = knobs.pack or not side_by_side
    panel_bytes = columns * min(block.k, knobs.depth) * 4 // pair
    panel_traffic = down * columns * block.k * 4 / pair
    level = machine.level(panel_bytes) if packed else block.home
    stream = 0.0 if level == "L1d" else machine.cycles(panel_traffic, level, busy=block.busy)
    return {
        "multiply": tiles * ceil_div(block.k, parts * pair) * step,
        "tiles": tiles * (TILE_START_CYCLES + sums * (1 if parts == 1 else 2)),
        "pack": _pack(block, machine, depth_vectors) if packed else 0.0,
        "copy": _copy(block, knobs, machine) if knobs.copy else 0.0,
        "panel traffic": EXPOSED * stream,
        "results": (2 * parts - 1) * machine.cycles(result_bytes, own, busy=block.busy)
        + machine.cycles(result_bytes, block.home, busy=block.busy),
    }


def _spills(knobs: PanelKnobs, machine: Machine) -> float:
    """Return the cycles of a step that registers too few cost: a store and a load each."""
    missing = knobs.rows * knobs.columns + knobs.columns + 1 - machine.registers
    return max(0, missing) * 1.5


def _pack(block: _Block, machine: Machine, vectors: float) -> float:
    """Return the cycles of filling the panels with all of a block's columns."""
    source = block.vectors
    along = unit_role(source) in (block.column_role, "")
    if not along and unit_role(source) != "k":
        return vectors * machine.lanes * ELEMENT_CYCLES
    moved = block.columns * block.k * element_bytes(source.dtype)
    traffic = machine.cycles(moved, block.home, busy=block.busy)
    return max(vectors * PACK_CYCLES[along], traffic)


def _copy(block: _Block, knobs: PanelKnobs, machine: Machine) -> float:
    """Return the cycles of copying the rows of all tiles, once each."""
    source, lanes = block.scalars, machine.lanes
    down = ceil_div(block.rows, knobs.rows)
    role = unit_role(source)
    if role == "k" or role == "":
        instructions = down * knobs.rows * block.k / lanes * 2.0
    elif role == block.row_role:
        instructions = down * ceil_div(knobs.rows, lanes) * block.k * 2.0
    else:
        return down * knobs.rows * block.k * ELEMENT_CYCLES
    moved = block.rows * block.k * element_bytes(source.dtype)
    traffic = machine.cycles(moved, block.home, busy=block.busy)
    return max(instructions, traffic)


def _dots(block: _Block, knobs: PanelKnobs, machine: Machine) -> dict[str, float]:
    """Return the cycles of one result of a batch, vectors along k."""
    pair = 2 if knobs.pairs else 1
    sums = knobs.rows * knobs.columns
    chains = max(1, knobs.unroll)
    waits = LATENCY * FMAS_PER_CYCLE / chains
    step = max(sums, knobs.rows + knobs.columns, waits) / FMAS_PER_CYCLE
    tiles = ceil_div(block.rows, knobs.rows) * ceil_div(block.columns, knobs.columns)
    steps = math.ceil(block.k / (machine.lanes * pair))
    multiply = tiles * steps * step
    few = block.rows * block.k * element_bytes(block.scalars.dtype)
    many = block.columns * block.k * element_bytes(block.vectors.dtype)
    # The few rows come again for each tile of columns, from where they fit.
    again = machine.cycles(
        few * ceil_div(block.columns, knobs.columns), machine.level(few), busy=block.busy
    )
    traffic = machine.cycles(many, block.home, busy=block.busy) + (
        0.0 if machine.level(few) == "L1d" else again
    )
    return {
        "multiply": multiply,
        "tiles": tiles * (TILE_START_CYCLES + sums * SUM_CYCLES),
        "operand traffic": max(0.0, traffic - multiply) + EXPOSED * min(traffic, multiply),
    }
