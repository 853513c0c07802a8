"""A row that is shorter than a vector is one vector all the same (dialects/short_rows)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.short_rows"(%module) : (!transform.any_op) -> ()
    """
