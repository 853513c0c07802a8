"""The position of an extremum in two passes (dialects/split_extrema)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.split_extrema"(%module) : (!transform.any_op) -> ()
    """
