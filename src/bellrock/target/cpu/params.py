"""What can be chosen for a kernel on the processor, and choices that fit any shape.

Flows in: a motif. Flows out: `BlockKnobs`: how its parallel loops are cut into blocks, which
the cores share, and in which order the loops of a block run.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from bellrock.params.constraint import Constraint, Value
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import Facts
from bellrock.target.cpu.constraints import check_parallel
from bellrock.target.cpu.convolution import DirectConvolutionKnobs, problem_of
from bellrock.target.cpu.flash_attention import (
    FlashAttentionKnobs,
    default_flash,
    takes_flash,
)
from bellrock.target.cpu.panel_rule import default_panels
from bellrock.target.cpu.panels import PanelKnobs, takes_panels
from bellrock.target.cpu.row_params import RowKnobs, default_rows, has_rows
from bellrock.target.cpu.windows import WindowKnobs, default_windows, takes_windows
from bellrock.target.cpu.winograd import WinogradKnobs, default_convolution, tiled_problem

BLOCKS_PER_CORE = 8
"""Blocks to aim at for each core, so that a slow core can be waited for only briefly."""
SERIAL_ITERATIONS = 8192
"""Below this many innermost iterations, waking the other cores costs more than it gains
(about 3 microseconds for a parallel region: notes of `docs/design/0004`)."""
CONTRACTION_BLOCK = {"m": 32, "n": 256}
"""Block of a contraction's result: rows that reuse one panel of B, and columns that keep a
row of the result (1 KiB in f32) in the L1 cache."""

SIZES_TO_TRY = (1, 4, 16, 64, 256, 1024)
"""Sizes of a block along one loop, for search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockKnobs(Knobs, name="blocks"):
    """Blocks of the iteration space."""

    tile: tuple[int, ...] = knob(
        unit="iterations", low=0, help="Size of a block, by loop; 0 leaves a loop whole."
    )
    order: tuple[int, ...] = knob(
        default=(), low=0, help="Loops from the outermost in; empty: along memory."
    )

    constraints = (
        Constraint("one-size-per-loop", "len(tile) == rank"),
        Constraint("order-names-each-loop", "len(order) == 0 or len(order) == rank"),
    )

    @classmethod
    def domain(cls, field: str, motif: Motif) -> Iterator[Value]:
        """Yield what is worth trying: cuts of parallel loops only, and the order along memory."""
        if field == "order":
            yield ()
            return
        sizes = (
            [0, *(size for size in SIZES_TO_TRY if size < loop)] if kind == "parallel" else [0]
            for loop, kind in zip(motif.loops, motif.iterators, strict=True)
        )
        yield from itertools.product(*sizes)

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check ranges and constraints, and that only parallel loops are cut.

        Raises:
            SelectionError: one is broken; it is named, with the values that it saw.
        """
        Knobs.validate(self, motif, facts)
        check_parallel(self, self.tile, motif)
        if self.order and sorted(self.order) != list(range(len(motif.loops))):
            raise self.broken(
                "order-is-a-permutation",
                got=f"order={list(self.order)}",
                allowed=f"a permutation of 0..{len(motif.loops) - 1}",
            )


ALL_KNOBS: tuple[type[Knobs], ...] = (
    BlockKnobs,
    DirectConvolutionKnobs,
    FlashAttentionKnobs,
    PanelKnobs,
    RowKnobs,
    WinogradKnobs,
    WindowKnobs,
)
"""Every class of parameters of this target; `kernel.yaml` has a branch for each."""


def knobs_for(motif: Motif) -> tuple[type[Knobs], ...]:
    """Return the classes of parameters of a motif; loops and what has no loops have none."""
    if motif.kind is MotifKind.LOOP or not motif.loops or min(motif.loops) < 0:
        return ()
    if takes_panels(motif):
        return (PanelKnobs, BlockKnobs)
    if takes_flash(motif):
        return (FlashAttentionKnobs, BlockKnobs)
    if tiled_problem(motif) is not None:
        return (DirectConvolutionKnobs, WinogradKnobs, BlockKnobs)
    if takes_windows(motif):
        return (WindowKnobs, BlockKnobs)
    if problem_of(motif) is not None:
        return (DirectConvolutionKnobs, BlockKnobs)
    return (RowKnobs, BlockKnobs) if has_rows(motif) else (BlockKnobs,)


def default_choice(motif: Motif, facts: Facts) -> Knobs | None:
    """Return the choice for a motif that is legal for any shape, of the fastest way to it."""
    if not knobs_for(motif):
        return None
    if takes_panels(motif):
        return default_panels(motif, facts)
    return (
        default_convolution(motif, facts)
        or default_flash(motif, facts)
        or default_windows(motif, facts)
        or default_rows(motif, facts)
        or default_blocks(motif, facts)
    )


def default_blocks(motif: Motif, facts: Facts) -> BlockKnobs | None:
    """Return blocks that are legal for any shape: enough of them for all cores, if it pays."""
    if not knobs_for(motif):
        return None
    loops = motif.loops
    parallel = [i for i, kind in enumerate(motif.iterators) if kind == "parallel"]
    tile = [0] * len(loops)
    if math.prod(loops) >= SERIAL_ITERATIONS and parallel and facts.cores > 1:
        if motif.kind in (MotifKind.CONTRACTION, MotifKind.ATTENTION):
            _contraction_blocks(motif, tile)
        _share(tile, loops, parallel, facts.cores * BLOCKS_PER_CORE)
    return BlockKnobs(tile=tuple(tile))


def _contraction_blocks(motif: Motif, tile: list[int]) -> None:
    for loop, (role, size) in enumerate(zip(motif.roles, motif.loops, strict=True)):
        if role == "batch":
            tile[loop] = 1
        elif role in CONTRACTION_BLOCK:
            tile[loop] = min(size, CONTRACTION_BLOCK[role])


def _share(tile: list[int], loops: tuple[int, ...], parallel: list[int], wanted: int) -> None:
    """Cut loops from the outermost in, until there are about `wanted` blocks.

    The innermost parallel loop runs along memory: it is cut last, into long pieces.
    """
    blocks = math.prod(-(-loops[i] // tile[i]) for i in parallel if tile[i])
    for i in parallel:
        if blocks >= wanted:
            return
        if loops[i] == 1:
            continue
        pieces = -(-wanted // blocks)
        whole = tile[i] or loops[i]
        size = max(1, loops[i] // pieces)
        if i == parallel[-1]:
            size = max(size, min(64, loops[i]))
        size = even_size(loops[i], size)
        if loops[i] % size:
            # As many blocks as are wanted: a short one more would leave a core waiting.
            size = max(size, -(-loops[i] // pieces))
        size = min(whole, size)
        blocks = blocks // -(-loops[i] // whole) * -(-loops[i] // size)
        tile[i] = size


def even_size(size: int, target: int) -> int:
    """Return the largest divisor of `size` up to `target`, if it is at least half of it.

    Blocks of one size need no remainder; where only odd divisors exist (a prime), the last
    block is smaller.
    """
    for candidate in range(target, target // 2, -1):
        if size % candidate == 0:
            return candidate
    return target
