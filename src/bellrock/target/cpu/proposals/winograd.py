"""Register tiles and blocks of a convolution by minimal filtering that are worth a prediction.

Flows in: a motif and facts. Flows out: `WinogradKnobs` around the rule's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from bellrock.dialects.convolution.minimal_filtering import ALGORITHMS
from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.convolution import Problem
from bellrock.target.cpu.winograd import (
    STACK_BYTES,
    TiledBlock,
    WinogradKnobs,
    best_of_tile,
    tiled_problem,
    tiles_of,
)

WIDTHS = (1, 2, 3, 4, 6)
PARTS = (1, 2, 4, 8)
IMAGES = (1, 2, 4)
GROUPS = (32, 64)


def propose_winograd(motif: Motif, default: Knobs, facts: Facts) -> Iterator[WinogradKnobs]:
    """Yield tiles and blocks whose buffers fit the stack.

    Args:
        motif: a convolution.
        default: the target's own choice.
        facts: of the processor.
    """
    for size in tiles_of(motif):
        yield from _of_tile(motif, default, facts, size)


def _of_tile(motif: Motif, default: Knobs, facts: Facts, size: int) -> Iterator[WinogradKnobs]:
    problem = tiled_problem(motif, ALGORITHMS[size])
    own = default if isinstance(default, WinogradKnobs) and default.tile == size else None
    if problem is not None and own is None:
        best = best_of_tile(motif, facts, size)
        own = None if best is None else best[0]
    if problem is None or own is None:
        return
    yield own
    for channels, vectors in _tiles(problem.out_channels, facts):
        wanted = own.channel_block or problem.out_channels
        tile = dataclasses.replace(
            own,
            channels=channels,
            vectors=vectors,
            channel_block=-(-wanted // channels) * channels,
        )
        for knobs in _blocks(problem, tile):
            if TiledBlock(problem, knobs).buffer_bytes <= STACK_BYTES:
                yield knobs


def _blocks(problem: Problem, tile: WinogradKnobs) -> Iterator[WinogradKnobs]:
    """Yield blocks of some rows of an image, or of several images."""
    height = problem.row.output
    for parts in (p for p in PARTS if p <= height):
        for images in (i for i in (IMAGES if parts == 1 else (1,)) if i <= problem.outer):
            columns = problem.column.output if images > 1 else tile.columns
            for group in GROUPS:
                yield dataclasses.replace(
                    tile,
                    rows=-(-height // parts),
                    columns=columns,
                    images=images,
                    channel_group=group,
                )


def _tiles(total: int, facts: Facts) -> Iterator[tuple[int, int]]:
    """Yield (channels, vectors): the most channels that divide all and fit."""
    for vectors in WIDTHS:
        most = (facts.vector_registers - 1 - (vectors + 1 if vectors > 1 else 1)) // vectors
        fitting = [d for d in range(1, min(most, 24) + 1) if total % d == 0]
        if fitting:
            yield fitting[-1], vectors
