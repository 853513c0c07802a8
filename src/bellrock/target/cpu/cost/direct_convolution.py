"""Seconds of a convolution on packed input (`dialects/convolution`).

Flows in: a motif, `DirectConvolutionKnobs`, the machine. Flows out: a prediction. Terms:

* *multiply*: register tiles of channels x pixels, lanes past a row's end computed in vain.
* *tiles*: starting the loops over a tile, storing its sums.
* *pack*: the input of a block with its halo, again for each block of channels.
* *filter traffic*: the scalars of a panel for each tile of pixels, where they do not stay in L1.
* *results*: sums from the buffer to the rows of the result.
* *memory*: image, filter and result from where they are between calls, as far as it is longer.
"""

from __future__ import annotations

import math

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif
from bellrock.target.cpu.convolution import DirectConvolutionKnobs, Problem, problem_of
from bellrock.target.cpu.cost.machine import FMAS_PER_CYCLE, Machine
from bellrock.target.cpu.cost.panels import LATENCY
from bellrock.target.cpu.cost.terms import ceil_div, predicted

TILE_START_CYCLES = 20
PACK_CYCLES = {1: 2.0, 2: 3.0}
"""Of one packed vector, by the stride; gathered elsewhere."""
GATHER_CYCLES = 20.0
ROW_CYCLES = 5
"""Of starting one row of packing or of results."""
RESULT_CYCLES = 4.0
"""Of one vector of results, with what is fused to it."""


def predict_direct_convolution(
    motif: Motif, knobs: DirectConvolutionKnobs, machine: Machine
) -> Prediction | None:
    """Return the time of a convolution; None where the lowering does not take it.

    Args:
        motif: the convolution.
        knobs: its choice.
        machine: that it runs on.
    """
    problem = problem_of(motif)
    if problem is None:
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
    # Rows of blocks that do not divide the image: the average block is smaller.
    rows = problem.row.output / ceil_div(problem.row.output, halo.rows)
    pixels = (rows - 1) * halo.pitch + halo.columns
    vectors = min(knobs.vectors, ceil_div(halo.pixels(halo.rows), lanes))
    tiles = math.ceil(pixels / (vectors * lanes))
    block_channels = min(knobs.channel_block or problem.out_channels, problem.out_channels)
    panel = min(knobs.channels, block_channels)
    panels = ceil_div(block_channels, panel)
    sums = panel * vectors
    missing = sums + (vectors + 1 if vectors > 1 else 1) - machine.registers
    step = max(sums, panel + vectors, LATENCY * FMAS_PER_CYCLE) / FMAS_PER_CYCLE
    step += 1.5 * max(0, missing)
    terms = problem.in_channels * problem.taps
    per_vector = PACK_CYCLES.get(problem.column.stride, GATHER_CYCLES)
    planes = halo.depths * len(problem.row.phases) * len(problem.column.phases)
    packed_rows = rows + problem.row.reach
    filter_bytes = 4 * panel * terms
    again = panels * tiles * filter_bytes
    packed_bytes = 4 * problem.in_channels * halo.channel
    return {
        "multiply": panels * tiles * terms * step,
        "tiles": panels * tiles * (TILE_START_CYCLES + sums),
        "pack": problem.in_channels
        * planes
        * packed_rows
        * (ceil_div(halo.pitch, lanes) * per_vector + ROW_CYCLES),
        "input traffic": _again(
            machine, panels * tiles * vectors * lanes * 4 * terms, packed_bytes
        ),
        "filter traffic": _again(machine, again, filter_bytes),
        "results": panel
        * panels
        * rows
        * (ceil_div(halo.columns, lanes) * RESULT_CYCLES + ROW_CYCLES),
    }


def _again(machine: Machine, moved_bytes: float, kept_bytes: float) -> float:
    """Return what reading a buffer again costs beyond the L1 cache; taps share its lines."""
    level = machine.level(2 * kept_bytes)
    if level == "L1d":
        return 0.0
    return 0.1 * machine.cycles(moved_bytes, level)
