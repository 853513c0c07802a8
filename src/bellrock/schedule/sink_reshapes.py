"""Ops work in the finer shape that their results are wanted in (dialects/sink_reshapes)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.sink_reshapes"(%module) : (!transform.any_op) -> ()
    """
