"""Blocks of poolings that are worth a prediction.

Flows in: a motif and facts. Flows out: `WindowKnobs`: the rule's, in smaller and larger blocks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.windows import WindowKnobs, default_windows


def propose_windows(motif: Motif, default: Knobs, facts: Facts) -> Iterator[WindowKnobs]:
    """Yield blocks.

    Args:
        motif: a pooling.
        default: the target's own choice.
        facts: of the processor.
    """
    own = default if isinstance(default, WindowKnobs) else default_windows(motif, facts)
    if own is None:
        return
    yield own
    for rows in {max(1, own.rows // 4), own.rows * 4} - {own.rows}:
        yield dataclasses.replace(own, rows=rows)
    yield dataclasses.replace(own, parallel=not own.parallel)
