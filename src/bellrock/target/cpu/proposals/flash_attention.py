"""Blocks of queries and keys of an attention that are worth a prediction.

Flows in: a motif and facts. Flows out: `FlashAttentionKnobs` of all widths, the rule's first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.flash_attention import FlashAttentionKnobs, default_flash

WIDTHS = (1, 2, 3, 4, 6)
KEYS = (32, 64, 96, 128, 256)
BEYOND = 2
"""Registers too many that a proposal may ask for."""


def propose_flash_attention(
    motif: Motif, default: Knobs, facts: Facts
) -> Iterator[FlashAttentionKnobs]:
    """Yield blocks.

    Args:
        motif: an attention.
        default: the target's own choice.
        facts: of the processor.
    """
    own = default if isinstance(default, FlashAttentionKnobs) else default_flash(motif, facts)
    if own is None:
        return
    wanted = -(-motif.dims["queries"] // own.lanes)
    for vectors in (v for v in WIDTHS if v <= wanted):
        room = facts.vector_registers - vectors - 2
        for rows in sorted({max(1, room // vectors // 2), room // vectors,
                            min(12, room // vectors), (room + BEYOND) // vectors}):  # fmt: skip
            for keys in KEYS:
                yield dataclasses.replace(
                    own, vectors=vectors, rows=rows, keys=max(rows, keys // rows * rows)
                )
