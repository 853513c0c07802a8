"""Results get a destination argument each (dialects/destinations)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %entry = "bellrock.entry_function"(%module) : (!transform.any_op) -> !transform.any_op
    "bellrock.return_in_arguments"(%entry) : (!transform.any_op) -> ()
    """
