"""What is worth a prediction for a motif on the processor; one file a family.

Flows in: a motif, the target's default, facts. Flows out: knobs, a few hundred at most.
Some are a little too large for the registers: the constraint that refuses them is what
`bellrock explain` names as binding, where they would be faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import MOST_PROPOSALS, Facts
from bellrock.target.cpu.convolution import DirectConvolutionKnobs
from bellrock.target.cpu.flash_attention import FlashAttentionKnobs
from bellrock.target.cpu.panels import PanelKnobs
from bellrock.target.cpu.params import BlockKnobs, default_blocks, knobs_for
from bellrock.target.cpu.proposals.direct_convolution import propose_direct_convolution
from bellrock.target.cpu.proposals.flash_attention import propose_flash_attention
from bellrock.target.cpu.proposals.panels import propose_panels
from bellrock.target.cpu.proposals.rows import propose_rows
from bellrock.target.cpu.proposals.windows import propose_windows
from bellrock.target.cpu.proposals.winograd import propose_winograd
from bellrock.target.cpu.row_params import RowKnobs
from bellrock.target.cpu.windows import WindowKnobs
from bellrock.target.cpu.winograd import WinogradKnobs

Propose = Callable[[Motif, Knobs, Facts], Iterator[Knobs]]
"""(motif, the target's default, facts) -> proposals of one class."""


RECORDED = (MotifKind.CONTRACTION, MotifKind.CONVOLUTION)
"""Kinds whose generic path was measured beside others."""


def _propose_blocks(motif: Motif, default: Knobs, facts: Facts) -> Iterator[Knobs]:
    """Yield the rule's blocks: what the generic path takes is not tuned, but compared.

    Only where recorded tables hold its prediction against others, or where nothing else takes the
    motif. A reduction and an attention are computed with what is around them, of which
    their own time says nothing.
    """
    blocks = default_blocks(motif, facts)
    if blocks is not None and (motif.kind in RECORDED or isinstance(default, BlockKnobs)):
        yield blocks


PROPOSALS: Mapping[type[Knobs], Propose] = {
    BlockKnobs: _propose_blocks,
    DirectConvolutionKnobs: propose_direct_convolution,
    FlashAttentionKnobs: propose_flash_attention,
    PanelKnobs: propose_panels,
    RowKnobs: propose_rows,
    WindowKnobs: propose_windows,
    WinogradKnobs: propose_winograd,
}
"""By class; one that is not here is proposed as its own candidates."""


def proposals(motif: Motif, default: Knobs, facts: Facts) -> Iterator[Knobs]:
    """Yield what is worth a prediction.

    Args:
        motif: to choose for.
        default: the target's own choice.
        facts: of the processor.
    """
    for knobs in knobs_for(motif):
        propose = PROPOSALS.get(knobs)
        if propose is not None:
            yield from propose(motif, default, facts)
            continue
        for count, candidate in enumerate(knobs.candidates(motif, facts)):
            if count >= MOST_PROPOSALS:
                break
            yield candidate
