"""The position of an extremum in two passes (dialects/split_extrema)."""

from __future__ import annotations


def sequence(along_memory: int = 0) -> str:
    """Return the body of the sequence.

    Args:
        along_memory: 1 leaves alone those of columns.
    """
    return f"""
    "bellrock.split_extrema"(%module) {{along_memory = {along_memory} : i64}}
      : (!transform.any_op) -> ()
    """
