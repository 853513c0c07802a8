"""Seconds of the generic path: loops over blocks, vectorised by LLVM where it can.

Flows in: a motif, `BlockKnobs`, the machine. Flows out: a prediction. Terms:

* *iterations*: loads, arithmetic and stores of all iterations, by vectors where the innermost loop
  runs along memory in every operand, else one by one.
* *memory*: the operands, from where they are between calls.
* *blocks*: starting each block and each innermost loop.
"""

from __future__ import annotations

import math

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.cpu.cost.machine import Machine
from bellrock.target.cpu.cost.terms import ceil_div, predicted
from bellrock.target.cpu.params import BlockKnobs

VECTOR_CYCLES = 2.5
"""Of one vector of iterations that add to memory, besides its operations."""
SCALAR_CYCLES = 2.0
"""Of one iteration by itself."""
OPERATION_CYCLES = 0.5
_WINDOWED = (MotifKind.CONVOLUTION, MotifKind.POOLING)
BLOCK_CYCLES = 60
LOOP_CYCLES = 12


def predict_blocks(motif: Motif, knobs: BlockKnobs, machine: Machine) -> Prediction | None:
    """Return the time of a motif on the generic path; None where a size is not known.

    Args:
        motif: any with loops.
        knobs: its choice.
        machine: that it runs on.
    """
    total = motif.bytes
    if total is None or min(motif.loops, default=-1) < 1:
        return None
    iterations = math.prod(motif.loops)
    cuts = [
        (size, min(cut, size) if cut else size)
        for size, cut in zip(motif.loops, knobs.tile, strict=True)
    ]
    blocks = math.prod(ceil_div(size, taken) for size, taken in cuts)
    straight = along_memory(motif)
    innermost = _innermost(motif, [taken for _, taken in cuts], straight=straight)
    operations = max(1.0, (motif.flops or 0) / iterations)
    one = OPERATION_CYCLES * operations
    if straight:
        # What is left over of a row is done one by one.
        vectors, rest = divmod(innermost, machine.lanes)
        spent = vectors * (VECTOR_CYCLES + one) + rest * (SCALAR_CYCLES + one)
        iteration = spent / innermost
    else:
        iteration = SCALAR_CYCLES + one
    inside = iterations / blocks
    busy = machine.busy(blocks)
    moved = machine.cycles(total / blocks, machine.level(total), busy=busy)
    spent = inside * iteration
    cycles = {
        "iterations": spent,
        "memory": max(0.0, moved - spent),
        "blocks": BLOCK_CYCLES + inside / innermost * LOOP_CYCLES,
    }
    return predicted(machine, cycles, blocks, parallel=True)


def _innermost(motif: Motif, sizes: list[int], *, straight: bool) -> int:
    """Return the iterations of the innermost loop: the one that results run along, if they do."""
    if not straight:
        return sizes[-1]
    along = motif.loops_of("output") if motif.kind in _WINDOWED else ()
    along = along or tuple(
        loop for loop, kind in enumerate(motif.iterators) if kind == "parallel"
    )  # fmt: skip
    return sizes[along[-1]] if along and sizes[along[-1]] > 1 else sizes[-1]


def along_memory(motif: Motif) -> bool:
    """Whether some loop lies side by side, or is absent, in every operand."""
    if motif.kind in (MotifKind.SCAN, MotifKind.SCATTER):
        return False
    if motif.kind in _WINDOWED and motif.lists.get("strides", (1,))[-1:] != (1,):
        return False
    output = motif.outputs[0].layout[-1:] if motif.outputs else ""
    ends = [o.layout for o in motif.inputs if o.layout]
    return bool(output) and all(
        layout[-1:] == output or output not in layout or layout.endswith(")") for layout in ends
    )
