"""Threads meet once at the end of a parallel loop (dialects/loop_barriers)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.loop_barriers"(%module) : (!transform.any_op) -> ()
    """
