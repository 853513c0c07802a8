"""Limits of blocks of rows that are worth a prediction.

Flows in: a motif and facts. Flows out: `RowKnobs`: the rule's, with more and fewer blocks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.row_params import RowKnobs, default_rows

ITERATIONS = (1024, 4096, 16384)
BLOCKS_PER_CORE = (1, 4, 16)


def propose_rows(motif: Motif, default: Knobs, facts: Facts) -> Iterator[RowKnobs]:
    """Yield limits.

    Args:
        motif: a reduction.
        default: the target's own choice.
        facts: of the processor.
    """
    own = default if isinstance(default, RowKnobs) else default_rows(motif, facts)
    if own is None:
        return
    for iterations in ITERATIONS:
        for each in BLOCKS_PER_CORE:
            yield dataclasses.replace(own, iterations=iterations, blocks=each * facts.cores)
