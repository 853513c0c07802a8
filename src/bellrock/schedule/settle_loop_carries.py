"""Loop-carried values get a buffer to live in (dialects/destinations)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %entry = "bellrock.entry_function"(%module) : (!transform.any_op) -> !transform.any_op
    "bellrock.settle_loop_carries"(%entry) : (!transform.any_op) -> ()
    """
