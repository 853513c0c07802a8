"""Sorts become parallel loops over lines (dialects/sorting)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.sorts_to_loops"(%module) : (!transform.any_op) -> ()
    """
