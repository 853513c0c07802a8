"""The choice `dpas`: a contraction by matrix engines, with 2-d block loads and prefetches.

Flows in: a contraction's motif, facts of the device. Flows out: `DpasKnobs`, and the default for
every shape, by the cost model's own terms over a small, fixed set of tiles (see
`default_dpas`). Pairs are (rows, columns) of the operand as the contraction reads it, A being
m x k and B k x n, however it lies in memory. A size need not be a multiple of its tile: block
loads give zeros beyond the bounds, and block stores write nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.params.constraint import Constraint
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind

_WORK_GROUPS = (
    (8, 64), (16, 64), (32, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256),
)  # fmt: skip
_SUB_GROUPS = ((8, 16), (8, 32), (16, 16), (16, 32), (32, 32), (32, 64))


@dataclass(frozen=True, kw_only=True, slots=True)
class DpasKnobs(Knobs, name="dpas"):
    """Tiles of work-groups and sub-groups, and how their operands come."""

    work_group: tuple[int, ...] = knob(
        unit="elements", low=1, values=_WORK_GROUPS, help="Result of a work-group: (m, n)."
    )
    sub_group: tuple[int, ...] = knob(
        unit="elements", low=1, values=_SUB_GROUPS, help="Result of a sub-group: (m, n)."
    )
    k_step: int = knob(
        unit="elements", low=1, values=(16, 32, 64), help="Part of k of one turn of the loop."
    )
    load_a: tuple[int, ...] = knob(
        unit="elements", low=1, values=((8, 16), (16, 16), (32, 16), (8, 32), (16, 32), (32, 32)),
        help="One block load of A: (m, k).",
    )  # fmt: skip
    load_b: tuple[int, ...] = knob(
        unit="elements", low=1, values=((16, 16), (32, 16)), help="One block load of B: (k, n)."
    )
    prefetch_a: tuple[int, ...] = knob(
        unit="elements", low=1, values=((8, 16), (8, 32), (16, 32)),
        help="One prefetch of A by one sub-group: (m, k).",
    )  # fmt: skip
    prefetch_b: tuple[int, ...] = knob(
        unit="elements", low=1, values=((8, 16), (8, 32), (16, 32)),
        help="One prefetch of B by one sub-group: (k, n).",
    )  # fmt: skip
    prefetch_depth: int = knob(
        default=1, low=0, high=4, unit="steps of k", values=(0, 1, 2),
        help="How far ahead is prefetched; 0 prefetches nothing.",
    )  # fmt: skip
    dpas: tuple[int, ...] = knob(
        default=(8, 16, 16), unit="elements", low=1, values=((8, 16, 16),),
        help="Shape of one instruction: (m, n, k).",
    )  # fmt: skip
    grf: int = knob(
        default=256, low=128, high=256, unit="registers", values=(128, 256),
        help="Registers of a thread; 256 halves the threads.",
    )  # fmt: skip
    split_k: int = knob(
        default=1, low=1, high=64, values=(1, 2, 4, 8),
        help="Parts of k, each with work-groups of its own; their sums are added afterwards.",
    )  # fmt: skip

    constraints = (
        Constraint("pairs", "len(work_group) == 2 and len(sub_group) == 2 and len(dpas) == 3"),
        Constraint(
            "sub-groups-fill-work-group",
            "work_group[0] % sub_group[0] == 0 and work_group[1] % sub_group[1] == 0",
        ),
        Constraint(
            "instructions-fill-sub-group",
            "sub_group[0] % dpas[0] == 0 and sub_group[1] % dpas[1] == 0 and k_step % dpas[2] == 0",
        ),
        Constraint(
            "loads-of-a-fill-sub-group",
            "len(load_a) == 2 and sub_group[0] % load_a[0] == 0 and k_step % load_a[1] == 0",
        ),
        Constraint(
            "loads-of-b-fill-sub-group",
            "len(load_b) == 2 and k_step % load_b[0] == 0 and sub_group[1] % load_b[1] == 0",
        ),
        Constraint(
            "instructions-fill-loads",
            "load_a[0] % dpas[0] == 0 and load_a[1] % dpas[2] == 0"
            " and load_b[0] % dpas[2] == 0 and load_b[1] % dpas[1] == 0",
        ),
    )


def takes_dpas(motif: Motif) -> bool:
    """Whether a contraction can be computed by matrix engines.

    Args:
        motif: any.
    """
    return (
        motif.kind is MotifKind.CONTRACTION
        and motif.plain
        and motif.accumulator == "f32"
        and len(motif.inputs) == 2
        and {o.dtype for o in motif.inputs} in ({"f16"}, {"bf16"})
        and all("*" not in o.layout for o in motif.operands)
    )
