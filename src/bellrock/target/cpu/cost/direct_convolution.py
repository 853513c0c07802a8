"""Seconds of a convolution on packed input (`dialects/convolution`).

Flows in: a motif, `DirectConvolutionKnobs`, the machine. Flows out: a prediction. Terms:

* *multiply*: register tiles of channels x pixels, lanes past a row's end computed in vain.
* *tiles*: starting the loops over a tile, storing its sums.
* *pack*: the input of a block with its halo, again for each block of channels.
* *input traffic*, *filter traffic*: packed rows and a panel of the filter for each tile of pixels,
  where they do not stay in the L1 cache.
* *results*: sums from the buffer to the rows of the result.
* *memory*: image, filter and result from where they are between calls, as far as it is longer.
"""

from __future__ import annotations

import math

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif
from bellrock.payload.motifs.convolution import TRANSPOSED
from bellrock.target.cpu.convolution import DirectConvolutionKnobs, Problem, problem_of
from bellrock.target.cpu.cost.machine import FMAS_PER_CYCLE, Machine
from bellrock.target.cpu.cost.panels import LATENCY
from bellrock.target.cpu.cost.terms import ceil_div, predicted, units

TILE_START_CYCLES = 20
PACK_CYCLES = {1: 2.0, 2: 3.0}
"""Of one packed vector, by the stride; gathered elsewhere."""
GATHER_CYCLES = 20.0
ROW_CYCLES = 5
"""Of starting one row of packing or of results."""
RESULT_CYCLES = 4.0
"""Of one vector of results, with what is fused to it."""
EXPOSED = 0.45
"""Of traffic from L2 that arithmetic does not hide."""
FOLLOWED = 0.5
"""Share of it that is left of a packed filter: one stream, which the processor asks for ahead."""
WINDOW = 300
"""Instructions that a core looks ahead."""
CONFLICTS = 0.1
"""Of loads, or of multiply-adds, whichever are fewer, that delay the others."""
SPARE_REGISTERS = 2
"""Beside sums and operands, for loads of the next tap."""
SPILL_CYCLES = 0.25
"""Of a term, for each register that is missing and each scalar that is broadcast."""


def predict_direct_convolution(
    motif: Motif, knobs: DirectConvolutionKnobs, machine: Machine
) -> Prediction | None:
    """Return the time of a convolution; None where the lowering does not take it.

    Of a transposed convolution, too: which products the lowering leaves out is not in the motif.

    Args:
        motif: the convolution.
        knobs: its choice.
        machine: that it runs on.
    """
    problem = problem_of(motif)
    if problem is None or motif.variant == TRANSPOSED:
        return None
    halo = problem.halo(knobs)
    block_channels = min(knobs.channel_block or problem.out_channels, problem.out_channels)
    blocks = (
        problem.outer
        * math.prod(a.output for a in problem.leading)
        * ceil_div(problem.row.output, halo.rows)
        * ceil_div(problem.column.output, halo.columns)
        * ceil_div(problem.out_channels, block_channels)
    )
    cycles = _block(problem, knobs, machine)
    busy = machine.busy(blocks) if knobs.parallel else 1
    spent = sum(cycles.values())
    total = motif.bytes or 0
    moved = machine.cycles(total / blocks, machine.level(total), busy=busy)
    cycles["memory"] = max(0.0, moved - spent) + 0.2 * min(moved, spent)
    return predicted(machine, cycles, blocks, parallel=knobs.parallel)


def _block(problem: Problem, knobs: DirectConvolutionKnobs, machine: Machine) -> dict[str, float]:
    """Return the cycles of one block."""
    halo, lanes = problem.halo(knobs), knobs.lanes
    height = problem.row.output
    rows = height / ceil_div(height, halo.rows)
    vectors = min(knobs.vectors, ceil_div(halo.pixels(halo.rows), lanes))
    widths = halo.tile_widths(vectors)
    tiles = sum(widths.values())
    block_channels = min(knobs.channel_block or problem.out_channels, problem.out_channels)
    panel = min(knobs.channels, block_channels)
    panels = units(problem.out_channels, block_channels, panel)
    sums = panel * vectors
    terms = problem.in_channels * problem.taps
    steps = sum(
        count * _step(panel, wide, terms, problem.taps, machine) for wide, count in widths.items()
    )
    per_vector = PACK_CYCLES.get(problem.column.stride, GATHER_CYCLES)
    planes = halo.depths * len(problem.row.phases) * len(problem.column.phases)
    lines = problem.row.kernel * len(problem.column.phases) * halo.depths
    input_bytes = 4 * problem.in_channels * lines * ((vectors + 1) * lanes + halo.column.reach)
    return {
        "multiply": panels * terms * steps,
        "tiles": panels * tiles * (TILE_START_CYCLES + sums),
        "pack": problem.in_channels
        * planes
        * (rows + problem.row.reach)
        * (ceil_div(halo.width, lanes) * per_vector + ROW_CYCLES),
        "input traffic": _again(
            machine, panels * tiles * input_bytes, 4 * problem.in_channels * halo.channel
        ),
        "filter traffic": (FOLLOWED if knobs.packed else 1.0)
        * _again(machine, panels * tiles * 4 * panel * terms, 4 * panel * terms),
        "results": panel
        * panels
        * rows
        * (ceil_div(halo.columns, lanes) * RESULT_CYCLES + ROW_CYCLES),
    }


def _step(panel: int, vectors: int, terms: int, taps: int, machine: Machine) -> float:
    """Return the cycles of one term of a register tile."""
    sums = panel * vectors
    # Short sums of the next tiles start while those of this one wait for each other.
    started = max(1.0, WINDOW / (terms * (sums + vectors)))
    waits = LATENCY * FMAS_PER_CYCLE / started
    # Pixels are read from any place: a vector lies in two lines.
    loads = panel + 2 * vectors
    step = (max(sums, loads, waits) + CONFLICTS * min(sums, loads)) / FMAS_PER_CYCLE
    taken = sums + (vectors + 1 if vectors > 1 else 1) + (SPARE_REGISTERS if taps > 1 else 0)
    return step + SPILL_CYCLES * panel * max(0, taken - machine.registers)


def _again(machine: Machine, moved_bytes: float, kept_bytes: float) -> float:
    """Return what reading a buffer again costs that does not stay in the L1 cache."""
    level = machine.level(1.5 * kept_bytes)
    return 0.0 if level == "L1d" else EXPOSED * machine.cycles(moved_bytes, level)
