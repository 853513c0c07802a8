"""Tiles of a contraction on matrix engines that are worth a prediction.

Flows in: a motif and facts. Flows out: `DpasKnobs`: all tiles of a sub-group that the shape can
use, in all small layouts of a work-group, with steps of k, prefetch depths and register modes; each
with the largest loads that it allows.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.xegpu.dpas import (
    DEPTH_BYTES,
    RESERVED_REGISTERS,
    SUB_GROUPS,
    DpasKnobs,
    knobs_for_tile,
)
from bellrock.target.xegpu.product import product_of

LAYOUTS = ((1, 1), (1, 2), (2, 1), (2, 2), (1, 4), (4, 1), (2, 4), (4, 2), (4, 4), (2, 8), (8, 2),
           (4, 8), (8, 4))  # fmt: skip
"""Sub-groups of a work-group, down and across."""
STEPS = (32, 64)
DEPTHS = (0, 1, 2)
PARTS = (2, 4, 8, 16)
LEAST_STEPS = 4
"""Of k in each of its parts."""
SMALL_GRF = 128
TOO_LARGE = (64, 64)
"""Tile of a sub-group that no register file holds: it shows what registers cost."""


def propose_dpas(motif: Motif, facts: Facts) -> Iterator[DpasKnobs]:
    """Yield tiles, about a thousand at most.

    Args:
        motif: a contraction that matrix engines take.
        facts: of the device.
    """
    product, register = product_of(motif), facts.limits["register_bytes"]
    element = product.operand_bytes
    steps = [s for s in STEPS if s < 2 * product.k] or [DEPTH_BYTES // element]
    sizes = (product.rows, product.columns)
    for tile, layout in itertools.product(SUB_GROUPS, LAYOUTS):
        if any(_beyond(t, count, n) for t, count, n in zip(tile, layout, sizes, strict=True)):
            continue
        for step, depth in itertools.product(steps, DEPTHS):
            yield knobs_for_tile(motif, tile, layout, k_step=step, prefetch_depth=depth)
        yield from _in_parts(motif, tile, layout, facts)
        small = knobs_for_tile(motif, tile, layout, k_step=steps[0], grf=SMALL_GRF)
        if small.registers(element, register) + RESERVED_REGISTERS <= SMALL_GRF:
            yield small
    yield knobs_for_tile(motif, TOO_LARGE, (4, 4), k_step=steps[0])


def _in_parts(
    motif: Motif, tile: tuple[int, int], layout: tuple[int, int], facts: Facts
) -> Iterator[DpasKnobs]:
    """Yield parts of a long k where the result alone has too few work-groups."""
    product = product_of(motif)
    groups = product.batch
    for size, length, count in zip((product.rows, product.columns), tile, layout, strict=True):
        groups *= -(-size // (length * count))
    for parts in PARTS:
        if groups * parts <= 2 * facts.cores and parts * STEPS[0] * LEAST_STEPS <= product.k:
            whole = knobs_for_tile(motif, tile, layout, k_step=STEPS[0])
            yield dataclasses.replace(whole, split_k=parts)


def _beyond(tile: int, count: int, size: int) -> bool:
    """Whether a whole sub-group of every work-group lies beyond a size."""
    return count > 1 and tile * (count - 1) >= size
