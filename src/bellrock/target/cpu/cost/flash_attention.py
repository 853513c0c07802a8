"""Seconds of attention in one pass over keys and values (`dialects/attention`).

Flows in: a motif, `FlashAttentionKnobs`, the machine. Flows out: a prediction. Terms:

* *multiply*: both products by register tiles of keys (or features) x queries.
* *tiles*: starting a tile, loading and storing its sums.
* *softmax*: maximum, exponential and total of the scores of a block.
* *queries and results*: transposed on the way in and out.
* *key traffic*: keys and values, once for each block of queries.
* *copies*: of keys and values that are not multiplied as they lie in memory.
"""

from __future__ import annotations

from bellrock.params.cost import Prediction
from bellrock.payload.motifs.base import Motif, element_bytes
from bellrock.target.cpu.cost.machine import FMAS_PER_CYCLE, Machine
from bellrock.target.cpu.cost.panels import LATENCY
from bellrock.target.cpu.cost.terms import ceil_div, predicted, units
from bellrock.target.cpu.flash_attention import FlashAttentionKnobs

TILE_START_CYCLES = 16
SCORE_CYCLES = 14.0
"""Of one vector of scores: maximum, exponential, total."""
EXPOSED = 0.15
"""Of a block's own buffers that arithmetic does not hide: they are read in order."""
TRANSPOSE_CYCLES = 20.0
"""Of one vector that is gathered or scattered."""
COPY_CYCLES = 4.0
"""Of one vector of keys or values that is widened, or joined into pairs."""


def predict_flash_attention(
    motif: Motif, knobs: FlashAttentionKnobs, machine: Machine
) -> Prediction:
    """Return the time of an attention.

    Args:
        motif: the attention.
        knobs: its choice.
        machine: that it runs on.
    """
    dims = motif.dims
    queries, keys, depth, features = (dims[n] for n in ("queries", "keys", "depth", "features"))
    width = knobs.lanes * knobs.vectors
    blocks = dims["batch"] * ceil_div(queries, width)
    key_blocks = ceil_div(keys, knobs.keys)
    sums = knobs.rows * knobs.vectors
    step = max(sums, knobs.rows + knobs.vectors, LATENCY * FMAS_PER_CYCLE) / FMAS_PER_CYCLE
    step += 1.5 * max(0, sums + knobs.vectors + 1 - machine.registers)
    score_tiles = units(keys, knobs.keys, knobs.rows) * key_blocks
    sum_tiles = ceil_div(features, knobs.rows) * key_blocks
    unit = 2 if knobs.pairs else 1
    moved = float(element_bytes(motif.inputs[-1].dtype) * keys * (depth + features))
    busy = machine.busy(blocks) if knobs.parallel else 1
    level = machine.level(moved)
    traffic = 0.0 if level == "L1d" else machine.cycles(moved, level, busy=busy)
    cycles = {
        "multiply": score_tiles * ceil_div(depth, unit) * step
        + ceil_div(features, knobs.rows) * ceil_div(keys, unit) * step,
        "tiles": (score_tiles + sum_tiles) * (TILE_START_CYCLES + 1.5 * sums),
        "softmax": keys * knobs.vectors * SCORE_CYCLES
        + key_blocks * knobs.vectors * 2 * SCORE_CYCLES,
        "queries and results": (depth + features) * knobs.vectors * TRANSPOSE_CYCLES,
        "copies": 0.0
        if motif.inputs[-1].dtype == "f32"
        else keys * (depth + features) / (unit * knobs.lanes) * COPY_CYCLES,
        "key traffic": 0.35 * traffic + _scores(knobs, depth, features, keys, machine),
    }
    return predicted(machine, cycles, blocks, parallel=knobs.parallel)


def _scores(
    knobs: FlashAttentionKnobs, depth: int, features: int, keys: int, machine: Machine
) -> float:
    """Return what a block's own buffers cost where they do not stay in the L1 cache."""
    width_bytes = 4 * knobs.lanes * knobs.vectors
    level = machine.level(width_bytes * (knobs.keys + max(depth, features)))
    if level == "L1d":
        return 0.0
    reads = keys * width_bytes * (
        ceil_div(features, knobs.rows) + depth * ceil_div(knobs.keys, knobs.rows) / knobs.keys
    )  # fmt: skip
    return EXPOSED * machine.cycles(reads, level)
