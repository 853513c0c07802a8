"""The position of an extremum of a long row, piece by piece (dialects/split_positions)."""

from __future__ import annotations


def sequence(fewest_rows: int = 2) -> str:
    """Return the body of the sequence.

    Args:
        fewest_rows: from which on rows are not split: there is one for each core.
    """
    return f"""
    "bellrock.split_positions"(%module) {{fewest_rows = {fewest_rows} : i64}}
      : (!transform.any_op) -> ()
    """
