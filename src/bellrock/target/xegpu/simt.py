"""The choice `simt`: any kernel, with one work-item for each iteration of its parallel loops.

Flows in: a motif, facts of the device. Flows out: `SimtKnobs`, and a default for any shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bellrock.params.constraint import Constraint
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import Facts

GROUP_SIZE = 256
"""Work-items of a group where there are enough: several sub-groups hide each other's latency."""
ITEMS_FOR_GROUPS = 8
"""Groups that each core should have before work-items take more than one iteration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimtKnobs(Knobs, name="simt"):
    """How iterations are dealt to work-items."""

    group_size: int = knob(
        default=GROUP_SIZE, unit="work-items", low=16, values=(64, 128, 256, 512),
        help="Work-items of a group.",
    )  # fmt: skip
    items: int = knob(
        default=1, unit="iterations", low=1, values=(1, 2, 4, 8), help="Of each work-item."
    )

    constraints = (
        Constraint("whole-sub-groups", "group_size % sub_group_size == 0"),
        Constraint("group-fits-device", "group_size <= work_group_items"),
    )


def takes_simt(motif: Motif) -> bool:
    """Whether a motif has loops of known sizes, which work-items can share."""
    return motif.kind is not MotifKind.LOOP and bool(motif.loops) and min(motif.loops) >= 0


def default_simt(motif: Motif, facts: Facts) -> SimtKnobs | None:
    """Return a choice that is legal for any shape, or None where there is nothing to choose."""
    if not takes_simt(motif):
        return None
    parallel = math.prod(
        size for size, kind in zip(motif.loops, motif.iterators, strict=True) if kind == "parallel"
    )
    # Short iterations leave most of a work-item's time to starting it.
    reduces = any(kind != "parallel" for kind in motif.iterators)
    enough = GROUP_SIZE * facts.cores * ITEMS_FOR_GROUPS
    items = 1 if reduces else max(1, min(4, parallel // enough))
    return SimtKnobs(items=1 << items.bit_length() - 1)
