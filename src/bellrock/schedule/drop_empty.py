"""Ops of no iterations are their initial values (dialects/drop_empty)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.drop_empty"(%module) : (!transform.any_op) -> ()
    """
