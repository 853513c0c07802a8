"""The choice `simt`: any kernel, with one work-item for each iteration of its parallel loops.

Flows in: a motif, facts of the device. Flows out: `SimtKnobs`, and a default for any shape.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from bellrock.params.constraint import Constraint, Value
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind, Operand
from bellrock.target.base import Facts

_WITH_ROWS = (MotifKind.REDUCTION, MotifKind.CONTRACTION, MotifKind.SCAN)
_MOST_RESULTS = 2
"""Of a row: an extremum and its position; a scan and its last value."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
"""Of layouts without windows and strides."""
_FAR = 16
"""Elements from which on neighbours are in cache lines of their own."""
_ROW_TURNS = 32
"""Iterations that each work-item of a row should have before others share it."""
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

    row_items: int = knob(
        default=1, unit="work-items", low=1, values=(1, 16, 64, 256),
        help="That reduce one result together, where what they read lies side by side.",
    )  # fmt: skip

    constraints = (
        Constraint("whole-sub-groups", "group_size % sub_group_size == 0"),
        Constraint("group-fits-device", "group_size <= work_group_items"),
        Constraint(
            "rows-of-sub-groups",
            "row_items in (1, sub_group_size, 4 * sub_group_size, 16 * sub_group_size)",
            help="Shuffles combine a sub-group, and once more as many sub-groups as it has items.",
        ),
        Constraint("rows-fit-group", "row_items <= group_size"),
        Constraint(
            "rows-in-memory",
            "row_items == 1 or (rows_in_memory and reduced >= 2 * row_items and items == 1)",
            help="Neighbouring work-items of a row have to read neighbouring memory.",
        ),
    )

    @classmethod
    def scope(cls, motif: Motif, facts: Facts) -> dict[str, Value]:
        """Return what names stand for.

        Here also `reduced`, the iterations for one result, and `rows_in_memory`, whether they read
        memory along.
        """
        return {
            **Knobs.scope(motif, facts),
            "reduced": reduced_by(motif),
            "rows_in_memory": row_dimension(motif) is not None,
        }


def row_dimension(motif: Motif) -> str | None:
    """Return the name of the dimension along which rows lie that are reduced; None without one.

    As in the lowering (`dialects/device/group_reductions.py`): rows are reduced together where
    their elements are nearer to each other than those that make neighbouring results.
    """
    layouts = [names_of(o) for o in motif.inputs]
    plain = all(set(o.layout) <= _PLAIN for o in motif.operands)
    if motif.kind not in _WITH_ROWS or not plain or not any(layouts):
        return None
    if not 1 <= len(motif.outputs) <= _MOST_RESULTS:
        return None
    known = dict.fromkeys(name for names in layouts for name in names)

    def distance(name: str) -> int:
        return sum(_FAR if name in names[:-1] else name in names for names in layouts)

    best = min(known, key=distance)
    # Of a scan's outputs the last one has no element for each step.
    return None if best in names_of(motif.outputs[-1]) else best


def names_of(operand: Operand) -> list[str]:
    """Return the names of an operand's dimensions that are not of size 1."""
    names = re.findall(r"\([^)]*\)|[a-z]\d*|\*", operand.layout)
    return [name for name, size in zip(names, operand.shape, strict=False) if size != 1]


def reduced_by(motif: Motif) -> int:
    """Return the iterations that one result is reduced by; 1 where nothing is."""
    loops = zip(motif.loops, motif.iterators, strict=True)
    return math.prod(size for size, kind in loops if kind != "parallel")


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
    row = row_dimension(motif)
    shares = reduced_by(motif) // _ROW_TURNS if row is not None else 1
    enough = GROUP_SIZE * facts.cores * ITEMS_FOR_GROUPS
    items = 1 if reduces else max(1, min(4, parallel // enough))
    return SimtKnobs(
        items=1 << items.bit_length() - 1,
        row_items=next((n for n in (256, 64, 16) if shares >= n), 16 if shares > 1 else 1),
    )
