"""Functions of a row are computed once for each row (dialects/hoist_invariants)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.hoist_invariants"(%module) : (!transform.any_op) -> ()
    """
