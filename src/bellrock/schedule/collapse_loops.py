"""Neighbouring loops over contiguous memory become one (dialects/collapse_loops)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.collapse_loops"(%module) : (!transform.any_op) -> ()
    """
