"""Tiles of an attention on matrix engines that are worth a prediction.

Flows in: a motif and facts. Flows out: `DpasAttentionKnobs`: all queries and keys of a sub-group,
all features together or parts of them, work-groups no taller than the queries, prefetch depths,
registers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.xegpu.attention import LANES, MOST_FEATURES, ROWS, DpasAttentionKnobs

QUERIES = (16, 32)
KEYS = (16, 32, 64)
SUB_GROUPS = (1, 2, 4, 8, 16)
DEPTHS = (0, 1, 2)
GRF = (128, 256)


def propose_attention(motif: Motif, facts: Facts) -> Iterator[DpasAttentionKnobs]:
    """Yield tiles, a thousand at most.

    Args:
        motif: an attention that matrix engines take.
        facts: of the device.
    """
    del facts
    dims = motif.dims
    whole = min(MOST_FEATURES, -(-dims["features"] // ROWS) * ROWS)
    widths = (whole, whole // 2) if whole % (2 * ROWS) == 0 and whole > LANES else (whole,)
    for queries, keys, features, sub_groups in itertools.product(QUERIES, KEYS, widths, SUB_GROUPS):
        beyond = sub_groups > 1 and queries * (sub_groups - 1) >= dims["queries"]
        if beyond or (keys > LANES and keys >= 2 * dims["keys"]):
            continue
        depths = DEPTHS if dims["keys"] > keys else DEPTHS[:1]
        for held, depth, grf in itertools.product((False, True), depths, GRF):
            yield DpasAttentionKnobs(
                queries=queries, keys=keys, features=features, sub_groups=sub_groups, held=held,
                prefetch_depth=depth, grf=grf,
            )  # fmt: skip
