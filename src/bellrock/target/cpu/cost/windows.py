"""Seconds of a pooling by rows of its windows (`dialects/pooling`).

Flows in: a motif, `WindowKnobs`, the machine. Flows out: a prediction. Terms:

* *rows*: the window's rows, vector by vector, into the row buffer.
* *along*: loads of the row buffer, and shuffles or gathers where the window takes steps, and
  combinations.
* *memory*: image and result, from where they are between calls.
* *blocks*: starting each block and each row.
"""

from __future__ import annotations

import math

from bellrock.dialects.pooling.deinterleave import picks_lanes
from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif
from bellrock.target.cpu.cost.machine import Machine
from bellrock.target.cpu.cost.terms import ceil_div, predicted
from bellrock.target.cpu.windows import WindowKnobs

COMBINE_CYCLES = {"add": 0.5}
"""Of one vector."""
EXTREMUM_CYCLES = 1.5
"""A maximum that lets NaN through is three instructions."""
GATHER_CYCLES = 20
ROW_CYCLES = 25
BLOCK_CYCLES = 60


def predict_windows(motif: Motif, knobs: WindowKnobs, machine: Machine) -> Prediction:
    """Return the time of a pooling.

    Args:
        motif: the pooling.
        knobs: its choice.
        machine: that it runs on.
    """
    *leading, columns = motif.outputs[0].shape
    height = leading[-1] if leading else 1
    rows, width = min(knobs.rows or height, height), min(knobs.columns or columns, columns)
    taken = math.prod(leading) // height * ceil_div(height, rows) * ceil_div(columns, width)
    step, dilation, taps = (motif.lists[n][-1] for n in ("strides", "dilations", "kernel"))
    above = math.prod(motif.lists["kernel"][:-1])
    combine = COMBINE_CYCLES.get(motif.variant, EXTREMUM_CYCLES)
    vectors = ceil_div(width, knobs.lanes)
    read = ceil_div(width * step + (taps - 1) * dilation, knobs.lanes)
    inside = min(width, knobs.lanes)
    shuffles = ceil_div(inside * step, knobs.lanes)
    along = combine + (shuffles if picks_lanes(step, inside, knobs.lanes) else GATHER_CYCLES)
    total = motif.bytes or 0
    busy = machine.busy(taken)
    moved = machine.cycles(total / taken, machine.level(total), busy=busy)
    cycles = {
        "rows": rows * read * above * (combine + 0.5),
        "along": rows * vectors * taps * along,
        "blocks": BLOCK_CYCLES + rows * ROW_CYCLES,
    }
    cycles["memory"] = max(0.0, moved - sum(cycles.values()))
    return predicted(machine, cycles, taken, parallel=knobs.parallel)
