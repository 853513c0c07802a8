"""What can be chosen for kernels around reductions, whose ops are cut together by rows.

Flows in: a motif and facts. Flows out: `RowKnobs`. How many rows and columns make a block is
computed from these limits when the kernel's ops are known (`dialects/row_blocks`): the choice
is made for the reduction alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import Facts

BLOCKS_PER_CORE = 4
"""Blocks at least for each core, where there are as many rows."""
L2_BYTES = 256 << 10
"""Assumed where the system does not tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowKnobs(Knobs, name="rows"):
    """Blocks of rows, or of columns where neighbours in memory belong to different rows."""

    cache_bytes: int = knob(
        unit="bytes", low=1 << 12, values=(1 << 16, 1 << 18, 1 << 19),
        help="Of a block's part of the largest tensor, which stays in cache between passes.",
    )  # fmt: skip
    columns: int = knob(
        default=1024, unit="elements", low=1, values=(64, 256, 1024, 4096),
        help="Neighbours in memory that a block takes at most where they are in different rows.",
    )  # fmt: skip
    iterations: int = knob(
        default=4096, unit="iterations", low=1, values=(1024, 4096, 16384),
        help="Innermost iterations that a block has at least, if there are enough rows.",
    )  # fmt: skip
    blocks: int = knob(
        unit="blocks", low=1, help="That there are at least, if there are enough rows."
    )

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check ranges, and that the motif's operands can be cut along its loops.

        Raises:
            SelectionError: a range is broken, or the motif does not fit.
        """
        Knobs.validate(self, motif, facts)
        if not has_rows(motif):
            raise self.broken(
                "reduction-of-rows",
                got=motif.signature(),
                allowed="a reduction with a parallel loop, whose operands are indexed by loops",
            )


def has_rows(motif: Motif) -> bool:
    """Whether a motif is a reduction that leaves rows, each index of which is one loop."""
    return (
        motif.kind is MotifKind.REDUCTION
        and "parallel" in motif.iterators
        and all(o.layout.isalnum() or not o.shape for o in motif.operands)
        and all(size >= 0 for o in motif.operands for size in o.shape)
    )


def default_rows(motif: Motif, facts: Facts) -> RowKnobs | None:
    """Return limits that fit the device, or None where the motif has no rows."""
    if not has_rows(motif):
        return None
    return RowKnobs(
        cache_bytes=facts.cache_bytes.get("L2", 2 * L2_BYTES) // 2,
        blocks=facts.cores * BLOCKS_PER_CORE,
    )
