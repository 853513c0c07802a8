"""Seconds of a reduction over blocks of rows (`dialects/tile_rows`).

Flows in: a motif, `RowKnobs`, the machine. Flows out: a prediction. A row kernel's choice is made
for its reduction, before what is fused around it is known: the prediction is of the reduction
alone, and tells choices apart by their blocks. Terms:

* *combine*: instructions for all elements.
* *memory*: the operands, from where they are between calls.
* *blocks*: starting each block and each row in it.
"""

from __future__ import annotations

import math

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif, element_bytes
from bellrock.target.cpu.cost.machine import Machine
from bellrock.target.cpu.cost.terms import ceil_div, predicted
from bellrock.target.cpu.row_params import RowKnobs

BLOCK_CYCLES = 60
ROW_CYCLES = 25
SERIAL_ITERATIONS = 8192
"""Fewer than these are left whole (`dialects/tile_rows`)."""


def predict_rows(motif: Motif, knobs: RowKnobs, machine: Machine) -> Prediction:
    """Return the time of a reduction.

    Args:
        motif: the reduction.
        knobs: its choice.
        machine: that it runs on.
    """
    sizes = list(zip(motif.loops, motif.iterators, strict=True))
    rows = math.prod(n for n, kind in sizes if kind == "parallel")
    length = math.prod(n for n, kind in sizes if kind != "parallel")
    elements = rows * length
    across = motif.iterators[-1] == "parallel"
    taken = _block_rows(knobs, rows, length, motif, across=across)
    blocks = ceil_div(rows, taken) if elements >= SERIAL_ITERATIONS else 1
    inside = rows / blocks
    per_vector = machine.lanes * 4 / max(4, element_bytes(motif.accumulator or "f32"))
    total = motif.bytes or 0
    busy = machine.busy(blocks)
    moved = machine.cycles(total / blocks, machine.level(total), busy=busy)
    combine = inside * length / per_vector * (1.0 if not across else 1.5)
    starts = length * ceil_div(int(inside), machine.lanes) if across else inside * ROW_CYCLES
    cycles = {
        "combine": combine,
        "memory": max(0.0, moved - combine),
        "blocks": BLOCK_CYCLES + starts,
    }
    return predicted(machine, cycles, blocks, parallel=True)


def _block_rows(knobs: RowKnobs, rows: int, length: int, motif: Motif, *, across: bool) -> int:
    """Return the rows of a block, as `dialects/row_blocks` computes them."""
    most = max(1, rows // knobs.blocks)
    if across:
        room = knobs.cache_bytes // max(1, length * element_bytes(motif.inputs[0].dtype))
        return max(1, min(max(16, min(knobs.columns, room)), max(16, most), rows))
    return max(1, min(ceil_div(knobs.iterations, length), most))
