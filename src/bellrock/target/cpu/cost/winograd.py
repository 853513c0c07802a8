"""Seconds of a convolution by minimal filtering (`dialects/convolution/winograd`).

Flows in: a motif, `WinogradKnobs`, the machine. Flows out: a prediction; the filter is transformed
once per set of weights, and not counted. Terms:

* *multiply*: the products of each tile (16 of 4 x 4, 36 of 6 x 6), by register tiles of
  channels x tiles.
* *tiles*: starting the loop of a register tile, storing its sums.
* *transforms*: tiles of the image there, tiles of the result back.
* *pack*: the input of a block with its halo.
* *filter traffic*, *tile traffic*: transformed filter, and tiles for each group of channels, read
  from beyond the L1 cache.
* *results*: to the rows of the result.
* *memory*: image, filter and result from where they are between calls, as far as it is longer.
"""

from __future__ import annotations

import math

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif
from bellrock.target.cpu.cost.machine import FMAS_PER_CYCLE, Machine
from bellrock.target.cpu.cost.panels import EXPOSED, LATENCY, UNFOLLOWED
from bellrock.target.cpu.cost.terms import ceil_div, predicted
from bellrock.target.cpu.winograd import (
    TiledBlock,
    WinogradKnobs,
    pack_cycles,
    tiled_problem,
    transform_cycles,
)

TILE_START_CYCLES = 20
RESULT_CYCLES = 5.0
ROW_CYCLES = 5


def predict_winograd(motif: Motif, knobs: WinogradKnobs, machine: Machine) -> Prediction | None:
    """Return the time of a convolution; None where the lowering does not take it.

    Args:
        motif: the convolution.
        knobs: its choice.
        machine: that it runs on.
    """
    problem = tiled_problem(motif, knobs.algorithm)
    if problem is None:
        return None
    block = TiledBlock(problem, knobs)
    halo = block.halo
    blocks = (
        ceil_div(problem.outer, block.images)
        * math.prod(a.output for a in problem.leading)
        * ceil_div(problem.row.output, halo.rows)
        * ceil_div(problem.column.output, halo.columns)
        * ceil_div(problem.out_channels, block.channels)
    )
    cycles = _block(block, machine)
    busy = machine.busy(blocks) if knobs.parallel else 1
    spent = sum(cycles.values())
    total = motif.bytes or 0
    moved = machine.cycles(total / blocks, machine.level(total), busy=busy)
    cycles["memory"] = max(0.0, moved - spent) + 0.2 * min(moved, spent)
    return predicted(machine, cycles, blocks, parallel=knobs.parallel)


def _block(block: TiledBlock, machine: Machine) -> dict[str, float]:
    """Return the cycles of one block."""
    problem, knobs, halo = block.problem, block.knobs, block.halo
    lanes, reduced, channels = knobs.lanes, block.reduced, block.channels
    pitch = block.pitch(halo)
    vectors, outputs = pitch // lanes, knobs.algorithm.outputs
    wide = min(knobs.vectors, vectors)
    sums = knobs.channels * wide
    missing = sums + (wide + 1 if wide > 1 else 1) - machine.registers
    step = max(sums, knobs.channels + wide, LATENCY * FMAS_PER_CYCLE) / FMAS_PER_CYCLE
    step += 1.5 * max(0, missing)
    tiles = knobs.algorithm.products * ceil_div(channels, knobs.channels) * vectors / wide
    per_image = ceil_div(halo.pixels(halo.rows), lanes)
    planes = halo.depths * outputs**2 * halo.packed_rows
    plane_bytes = 4 * knobs.algorithm.products * reduced
    filter_bytes, image_bytes = plane_bytes * channels, plane_bytes * pitch
    transformed = block.images * reduced * per_image + channels * vectors
    return {
        "multiply": tiles * reduced * step,
        "tiles": tiles * (TILE_START_CYCLES + sums),
        "transforms": transform_cycles(knobs.algorithm) * transformed,
        "pack": block.images
        * problem.in_channels
        * planes
        * (ceil_div(halo.width, lanes) * pack_cycles(knobs.algorithm) + ROW_CYCLES),
        "filter traffic": _filter(machine, filter_bytes),
        "tile traffic": _again(machine, image_bytes, ceil_div(channels, block.group)),
        "results": channels
        * block.images
        * halo.rows
        * outputs
        * (ceil_div(outputs * halo.columns, lanes) * RESULT_CYCLES + ROW_CYCLES),
    }


def _again(machine: Machine, size_bytes: int, times: int) -> float:
    """Return what reading a block's tiles so many times costs, beyond what arithmetic hides."""
    level = machine.level(size_bytes)
    return 0.0 if level == "L1d" else EXPOSED * times * machine.cycles(size_bytes, level)


def _filter(machine: Machine, size_bytes: int) -> float:
    """Return what reading the filter costs: from beyond L2, each block waits for it."""
    level = machine.level(size_bytes)
    hidden = EXPOSED if level in ("L1d", "L2") else UNFOLLOWED
    return 0.0 if level == "L1d" else hidden * machine.cycles(size_bytes, level)
