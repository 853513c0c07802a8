"""The position of an extremum is that of the first NaN (dialects/split_extrema)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.nans_first"(%module) : (!transform.any_op) -> ()
    """
