"""Choices that a stage had to change, so that the lock says what was done.

Flows in: an anchor whose choice cannot be kept (its filter's copy has no room), and the choice that
takes its place. Flows out: that choice on the anchor, and on the function for every op of the
same motif, until the compiler takes it into its rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch_mlir import ir

from bellrock.dialects.outlining import CHOICE
from bellrock.payload.motif import find_motif

REVISED = "bellrock.revised_choices"
"""Attribute of a function: choices by signature of the motif."""


def signature_of(op: ir.Operation) -> str:
    """Return what an anchor's row in a lock is for; the empty text where it is no motif."""
    motif = find_motif(op)
    return "" if motif is None else motif.signature()


def by_signature(ops: Sequence[ir.Operation]) -> list[list[ir.Operation]]:
    """Return anchors in groups for which there is one row, and so one choice."""
    groups: dict[str, list[ir.Operation]] = {}
    for op in ops:
        groups.setdefault(signature_of(op), []).append(op)
    return list(groups.values())


def revise(function: ir.Operation, ops: Sequence[ir.Operation], choice: ir.DictAttr) -> None:
    """Give the anchors of one motif another choice.

    Args:
        function: that they are in.
        ops: all that have the same motif, and so the same choice.
        choice: in the place of theirs.
    """
    known: dict[str, ir.Attribute] = {}
    if REVISED in function.attributes:
        known = {a.name: a.attr for a in ir.DictAttr(function.attributes[REVISED])}
    known[signature_of(ops[0])] = choice
    function.attributes[REVISED] = ir.DictAttr.get(known, function.context)
    for op in ops:
        op.attributes[CHOICE] = choice


def take_revised(function: ir.Operation) -> dict[str, ir.DictAttr]:
    """Return the changed choices of a function by signature, and forget them."""
    if REVISED not in function.attributes:
        return {}
    found = ir.DictAttr(function.attributes[REVISED])
    del function.attributes[REVISED]
    return {a.name: ir.DictAttr(a.attr) for a in found}
