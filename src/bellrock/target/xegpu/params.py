"""What can be chosen for a kernel on an Intel GPU, and choices that fit any shape.

Flows in: a motif. Flows out: the classes of parameters of the ways to compute it; `simt` is
the one that takes everything.
"""

from __future__ import annotations

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.xegpu.attention import (
    DpasAttentionKnobs,
    default_attention,
    takes_attention,
)
from bellrock.target.xegpu.dpas import DpasKnobs, default_dpas, takes_dpas
from bellrock.target.xegpu.simt import SimtKnobs, default_simt, takes_simt

ALL_KNOBS: tuple[type[Knobs], ...] = (DpasAttentionKnobs, DpasKnobs, SimtKnobs)
"""Every class of parameters of this target; `kernel.yaml` has a branch for each."""


def knobs_for(motif: Motif) -> tuple[type[Knobs], ...]:
    """Return the classes of parameters of a motif; loops and what has no loops have none."""
    if not takes_simt(motif):
        return ()
    if takes_attention(motif):
        # The last product alone is for what turns out to be no kernel, and for locks of that.
        return (DpasAttentionKnobs, DpasKnobs)
    # What matrix engines take is left to them, however small: sums then round alike for all shapes.
    return (DpasKnobs,) if takes_dpas(motif) else (SimtKnobs,)


def default_choice(motif: Motif, facts: Facts) -> Knobs | None:
    """Return the choice for a motif that is legal for any shape."""
    if takes_simt(motif) and takes_attention(motif):
        return default_attention(motif, facts)
    if takes_simt(motif) and takes_dpas(motif):
        return default_dpas(motif, facts)
    return default_simt(motif, facts)
