"""Register tiles and blocks of a convolution that are worth a prediction.

Flows in: a motif and facts. Flows out: `DirectConvolutionKnobs`: the rule's, and tiles of all
widths by blocks of some rows, columns and output channels.
"""

from __future__ import annotations

from collections.abc import Iterator

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.convolution import (
    STACK_BYTES,
    DirectConvolutionKnobs,
    Problem,
    best_direct_convolution,
    problem_of,
)

WIDTHS = (1, 2, 3, 4, 6)
"""Vectors of pixels of a tile."""
PARTS = (1, 2, 4, 8, 16)
"""Blocks that rows, or columns, are cut into."""
CHANNEL_PARTS = (1, 2, 4)
LONGEST = 1024
"""Most columns of a block."""
BEYOND = 1
"""Registers too many that a proposal may ask for."""


def propose_direct_convolution(
    motif: Motif, default: Knobs, facts: Facts
) -> Iterator[DirectConvolutionKnobs]:
    """Yield tiles and blocks whose packed input fits half of the L2 cache.

    Args:
        motif: a convolution.
        default: the target's own choice.
        facts: of the processor.
    """
    problem = problem_of(motif)
    if problem is None:
        return
    if isinstance(default, DirectConvolutionKnobs):
        own = default
    else:
        best = best_direct_convolution(motif, facts)
        if best is None:
            return
        own = best[0]
        yield own
    limit = min(STACK_BYTES, facts.cache_bytes.get("L2", STACK_BYTES) // 2)
    for channels, vectors in _tiles(problem, facts):
        for rows, columns in _blocks(problem, own.lanes * vectors):
            for channel_block in _channel_blocks(problem, channels):
                knobs = DirectConvolutionKnobs(
                    channels=channels, vectors=vectors, lanes=own.lanes, rows=rows,
                    columns=columns, channel_block=channel_block, parallel=own.parallel,
                    packed=problem.packs(channels, facts),
                )  # fmt: skip
                if problem.buffer_bytes(knobs, problem.halo(knobs)) <= limit:
                    yield knobs


def _tiles(problem: Problem, facts: Facts) -> Iterator[tuple[int, int]]:
    """Yield (channels, vectors): the fewest equal panels that fit, and that nearly do."""
    widest = -(-problem.row.output * problem.column.output // 4)
    for vectors in WIDTHS:
        if vectors > widest:
            return
        room = facts.vector_registers - 1 - (vectors + 1 if vectors > 1 else 1)
        for most in {room // vectors, (room + BEYOND) // vectors}:
            if most >= 1:
                yield -(-problem.out_channels // -(-problem.out_channels // most)), vectors


def _blocks(problem: Problem, unit: int) -> Iterator[tuple[int, int]]:
    """Yield rows and columns of blocks; columns are cut where rows are single."""
    height, width = problem.row.output, problem.column.output
    first = -(-width // LONGEST)
    whole = _part(width, first, unit)
    for parts in PARTS:
        yield -(-height // parts), whole
        if parts >= height:
            break
    if height == 1 or first > 1:
        for parts in PARTS[1:]:
            yield min(height, 8), _part(width, first * parts, unit)


def _part(size: int, parts: int, unit: int) -> int:
    """Return the size of equal parts in whole units."""
    part = -(-size // parts)
    return min(size, -(-part // unit) * unit)


def _channel_blocks(problem: Problem, channels: int) -> list[int]:
    panels = -(-problem.out_channels // channels)
    return list(dict.fromkeys(channels * -(-panels // parts) for parts in CHANNEL_PARTS))
