"""Buffers that end as results are these results (dialects/place_results)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %entry = "bellrock.entry_function"(%module) : (!transform.any_op) -> !transform.any_op
    "bellrock.place_results"(%entry) : (!transform.any_op) -> ()
    """
