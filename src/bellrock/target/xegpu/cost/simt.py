"""Seconds of the path that takes everything: a work-item for each iteration (`SimtKnobs`).

Flows in: a motif, the knobs, the machine. Flows out: a prediction. Terms, of the busiest Xe-core:

* *arithmetic*: operations of all iterations, if all engines shared them evenly.
* *waves*: what they do not share evenly.
* *loads*: messages to the load unit: one for each operand and 16 iterations, or one for each line
  that their lanes touch.
* *DRAM traffic*: operands once. These two count as far as what came before does not hide them.
* *items*: starting work-items.
* *combining*: what the work-items of a row do to combine their parts of it.
"""

from __future__ import annotations

import math

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif, Operand
from bellrock.target.xegpu.cost.machine import MESSAGE_CLOCKS, Machine
from bellrock.target.xegpu.cost.terms import ceil_div, overlapped, predicted, rounds
from bellrock.target.xegpu.simt import SimtKnobs, names_of, row_dimension

ITERATION_OPERATIONS = 2.0
"""Of an iteration besides its own: addresses and the loop. Assumed."""
ITEM_CLOCKS = 40.0
"""Of starting a sub-group: indices of its iterations. Assumed."""
SHUFFLE_CLOCKS = 8.0
"""Of one exchange in a sub-group, and combining what came. Assumed."""
BARRIER_CLOCKS = 100.0
"""Of local memory written, a barrier, and read again. Assumed."""
REGISTERS = 128


def predict_simt(motif: Motif, knobs: SimtKnobs, machine: Machine) -> Prediction | None:
    """Return the time of a motif; None where a size is not known.

    Args:
        motif: any with loops.
        knobs: its choice.
        machine: that it runs on.
    """
    moved = motif.bytes
    if moved is None or min(motif.loops, default=-1) < 1:
        return None
    iterations = math.prod(motif.loops)
    results = math.prod(
        size for size, kind in zip(motif.loops, motif.iterators, strict=True) if kind == "parallel"
    )
    rows = knobs.row_items > 1 and row_dimension(motif) is not None
    group_results = knobs.group_size // knobs.row_items if rows else knobs.group_size * knobs.items
    groups = ceil_div(results, group_results)
    per_core = ceil_div(groups, machine.cores)
    resident = max(1, machine.core_threads(REGISTERS) * machine.sub_group // knobs.group_size)
    operations = max(1.0, (motif.flops or 0) / iterations) + ITERATION_OPERATIONS
    # Of one group on one engine; a group's sub-groups are on several of them.
    turns_of_item = ceil_div(iterations // results, knobs.row_items if rows else 1)
    of_one = knobs.group_size * knobs.items * turns_of_item * operations / machine.vector_flops
    even = groups * of_one / (machine.cores * machine.engines)
    turns = 0.0
    for count, together in rounds(per_core, resident):
        shares = together * knobs.group_size / machine.sub_group
        turns += count * together / min(machine.engines, max(1.0, shares))
    beside = overlapped(
        turns * of_one,
        {
            "loads": _loads(motif, knobs, turns_of_item, machine, rows=rows) * per_core,
            "DRAM traffic": moved / machine.dram_rate,
        },
    )
    clocks = {
        "arithmetic": even,
        "waves": turns * of_one - even,
        **beside,
        "items": per_core * knobs.group_size / machine.sub_group * ITEM_CLOCKS / machine.engines,
    }
    if rows:
        clocks["combining"] = per_core * _combining(knobs, machine) / machine.engines
    return predicted(machine, clocks, launches=1)


def _combining(knobs: SimtKnobs, machine: Machine) -> float:
    """Return the clocks of one group on one engine to combine the parts of its rows."""
    sub_groups = knobs.group_size / machine.sub_group
    steps = math.log2(knobs.row_items)
    beyond = BARRIER_CLOCKS if knobs.row_items > machine.sub_group else 0.0
    return sub_groups * (steps * SHUFFLE_CLOCKS + beyond)


def _loads(
    motif: Motif, knobs: SimtKnobs, reduced: float, machine: Machine, *, rows: bool
) -> float:
    """Return the clocks of the load unit for one work-group."""
    lanes = knobs.group_size * knobs.items / machine.sub_group
    written = _last(motif.outputs[0]) if motif.outputs else ""
    along = row_dimension(motif) or written if rows else written
    messages = sum(_lines(operand, along, machine) for operand in motif.inputs) * reduced
    messages += sum(_lines(operand, written, machine) for operand in motif.outputs)
    return messages * lanes * MESSAGE_CLOCKS


def _last(operand: Operand) -> str:
    """Return the name of an operand's last dimension that is not of size 1."""
    return next(reversed(names_of(operand)), "")


def _lines(operand: Operand, along: str, machine: Machine) -> float:
    """Return the messages of one sub-group for an operand, as many as lines that they touch."""
    names = names_of(operand)
    if not along or along not in names or names[-1] == along:
        return 1.0
    return float(machine.sub_group)
