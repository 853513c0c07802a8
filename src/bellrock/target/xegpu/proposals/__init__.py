"""What is worth a prediction for a motif on Intel GPUs; one file a family.

Flows in: a motif, the target's default, facts. Flows out: knobs, a thousand at most. Some are
too large for the registers or an Xe-core: the constraint that refuses them is what
`bellrock explain` names as binding, where they would be faster.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import MOST_PROPOSALS, Facts
from bellrock.target.xegpu.attention import DpasAttentionKnobs
from bellrock.target.xegpu.dpas import DpasKnobs
from bellrock.target.xegpu.proposals.attention import propose_attention
from bellrock.target.xegpu.proposals.dpas import propose_dpas

Propose = Callable[[Motif, Facts], Iterator[Knobs]]
"""(motif, facts) -> proposals of one class."""

PROPOSALS: Mapping[type[Knobs], Propose] = {
    DpasAttentionKnobs: propose_attention,
    DpasKnobs: propose_dpas,
}
"""By class; one that is not here is proposed as its own candidates."""


def proposals(motif: Motif, classes: Sequence[type[Knobs]], facts: Facts) -> Iterator[Knobs]:
    """Yield what is worth a prediction.

    Args:
        motif: to choose for.
        classes: ways to compute it.
        facts: of the device.
    """
    if DpasAttentionKnobs in classes:
        # What a product alone would take is no time of an attention.
        classes = [DpasAttentionKnobs]
    for knobs in classes:
        propose = PROPOSALS.get(knobs)
        if propose is not None:
            yield from propose(motif, facts)
        else:
            yield from itertools.islice(knobs.candidates(motif, facts), MOST_PROPOSALS)
