"""The choice that selection wrote on an op, for what lowers it.

Flows in: an op. Flows out: its choice, as `bellrock.params.choice` writes it.
"""

from __future__ import annotations

from torch_mlir import ir

CHOICE = "bellrock.choice"


def choice_of(op: ir.Operation | None, *knobs: str) -> ir.DictAttr | None:
    """Return the choice of an op; None where it has none.

    Args:
        op: None is one without a choice.
        knobs: classes that it has to be of; any, if none is named.
    """
    if op is None or CHOICE not in op.attributes:
        return None
    choice = ir.DictAttr(op.attributes[CHOICE])
    return choice if not knobs or ir.StringAttr(choice["knobs"]).value in knobs else None


def knobs_of(op: ir.Operation | None) -> str | None:
    """Return the class of knobs that an op was given; None where it has no choice."""
    choice = choice_of(op)
    return None if choice is None else ir.StringAttr(choice["knobs"]).value
