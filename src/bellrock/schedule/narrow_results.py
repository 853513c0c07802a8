"""What was narrowed and widened again is kept narrow (dialects/narrow_results)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.narrow_results"(%module) : (!transform.any_op) -> ()
    """
