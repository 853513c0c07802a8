"""The choice `dpas-attention`: attention in one pass over its keys, both products on DPAS.

Flows in: an attention's motif, facts of the device. Flows out: `DpasAttentionKnobs`, and a default
for every shape. A sub-group has 16 queries or more, one in each lane, and goes over all keys that
they see; features that its registers have no room for are other sub-groups', which then make the
scores again.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.params.constraint import Constraint, Value
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.attention_unnormalised import ELEMENTWISE
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import Facts
from bellrock.target.xegpu.dpas import RESERVED_REGISTERS, takes_dpas

LANES = 16
ROWS = 8
MOST_FEATURES = 128
"""Of a sub-group: their sums are half of a thread's registers."""
MOST_HELD = 64
"""Depth up to which queries stay in registers beside sums of as many features."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DpasAttentionKnobs(Knobs, name="dpas-attention"):
    """Queries of a sub-group, and how it goes over keys."""

    queries: int = knob(
        default=LANES, low=LANES, values=(16, 32), unit="elements", help="Of a sub-group."
    )
    keys: int = knob(
        default=32, low=LANES, values=(16, 32, 64), unit="elements",
        help="Of one turn of the loop.",
    )  # fmt: skip
    features: int = knob(low=ROWS, values=(32, 64, 128), unit="elements", help="Of a sub-group.")
    sub_groups: int = knob(
        default=8, low=1, values=(1, 2, 4, 8, 16), help="Of a work-group; they share the L1 cache."
    )
    held: bool = knob(help="Whether queries stay in registers.")
    prefetch_depth: int = knob(
        default=1, low=0, high=4, unit="turns", values=(0, 1, 2),
        help="How far ahead keys and values are prefetched; 0 prefetches nothing.",
    )  # fmt: skip
    grf: int = knob(
        default=256, low=128, high=256, unit="registers", values=(128, 256),
        help="Registers of a thread; 256 halves the threads.",
    )  # fmt: skip

    constraints = (
        Constraint("whole-lanes", "queries % sub_group_size == 0"),
        Constraint("whole-instructions", "keys % 16 == 0 and features % dpas_rows == 0"),
        Constraint("registers-of-a-thread", "grf in (128, 256)"),
        Constraint(
            "tile-in-registers",
            "ceildiv(queries * ((min(features, all_features) + keys) * 4 + keys * 2"
            " + (depth * 2 if held else 0)), register_bytes)"
            f" + {RESERVED_REGISTERS} <= grf",
            help="Sums, scores, weights, and queries where they are held.",
        ),
        Constraint(
            "work-group-on-one-core",
            "sub_groups <= vector_engines * (threads if grf == 128 else threads_large_grf)",
        ),
        Constraint("items-of-a-work-group", "sub_groups * sub_group_size <= work_group_items"),
    )

    @classmethod
    def scope(cls, motif: Motif, facts: Facts) -> dict[str, Value]:
        """Return what names stand for: also `depth` and `all_features`."""
        dims = motif.dims
        return {
            **Knobs.scope(motif, facts),
            "depth": dims["depth"],
            "all_features": -(-dims["features"] // ROWS) * ROWS,
        }

    def registers(self, features: int, depth: int, element: int, register_bytes: int) -> int:
        """Return the registers that a sub-group takes; as the constraint says it.

        Args:
            features: of the sub-group, as many as there are.
            depth: of the scores' product.
            element: bytes of a factor's element.
            register_bytes: of one register.
        """
        scores = (features + self.keys) * 4 + self.keys * element
        held = depth * element if self.held else 0
        return -(-self.queries * (scores + held) // register_bytes) + RESERVED_REGISTERS


def takes_attention(motif: Motif) -> bool:
    """Whether an attention can be one kernel on matrix engines.

    Args:
        motif: any.
    """
    return (
        motif.kind is MotifKind.ATTENTION
        and motif.variant in ("", ELEMENTWISE)
        and takes_dpas(motif)
        and min(motif.dims.values()) > 0
    )


def default_attention(motif: Motif, facts: Facts) -> DpasAttentionKnobs:
    """Return the choice of the rule; legal for any shape.

    Args:
        motif: an attention that is taken.
        facts: of the device.
    """
    dims = motif.dims
    features = min(MOST_FEATURES, -(-dims["features"] // ROWS) * ROWS)
    sub_groups, blocks = 8, -(-dims["queries"] // LANES)
    parts = dims["batch"] * -(-dims["features"] // features)
    while sub_groups > 1 and parts * -(-blocks // sub_groups) < facts.cores:
        sub_groups //= 2
    return DpasAttentionKnobs(
        keys=32 if dims["keys"] > LANES else LANES, features=features,
        sub_groups=min(sub_groups, blocks), held=dims["depth"] <= MOST_HELD,
    )  # fmt: skip
