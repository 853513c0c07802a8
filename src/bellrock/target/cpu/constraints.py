"""Constraints that several classes of knobs have.

Flows in: knobs. Flows out: nothing, or a `SelectionError` that names the constraint.
"""

from __future__ import annotations

from bellrock.params.constraint import Constraint
from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif

WHOLE_VECTORS = Constraint("vectors-of-the-device", "lanes * 32 <= vector_bits")
CHANNELS_IN_REGISTERS = Constraint(
    "accumulators-in-registers",
    "channels * vectors + (vectors + 1 if vectors > 1 else 1) < vector_registers",
    help="What does not fit is spilled to memory in the innermost loop.",
)
"""Of a register tile of channels x vectors: accumulators, a row of vectors, one broadcast."""


def check_parallel(knobs: Knobs, tile: tuple[int, ...], motif: Motif) -> None:
    """Make sure that blocks cut parallel loops only.

    Args:
        knobs: that the tile is of.
        tile: iterations of a block, by loop; 0: all.
        motif: that they are for.
    """
    for loop, (size, iterator) in enumerate(zip(tile, motif.iterators, strict=True)):
        if size and iterator != "parallel":
            raise knobs.broken(
                "blocks-of-parallel-loops",
                got=f"tile={list(tile)} for {motif.signature()}, whose loop {loop} is a reduction",
                allowed="0 for each loop that is not parallel",
            )


def check_stack(knobs: Knobs, size_bytes: int, most_bytes: int) -> None:
    """Make sure that a block's buffers fit a thread's stack.

    Args:
        knobs: that make the block.
        size_bytes: of its buffers.
        most_bytes: that they may take.
    """
    if size_bytes > most_bytes:
        raise knobs.broken(
            "block-on-the-stack",
            got=f"{size_bytes} bytes for {knobs.to_mapping()}",
            allowed=f"at most {most_bytes} bytes",
        )
