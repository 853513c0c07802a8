"""Long reductions to few results are reduced in pieces first (dialects/split_reductions)."""

from __future__ import annotations


def sequence(longest: int = 32768, most_results: int = 4096) -> str:
    """Return the body of the sequence.

    Args:
        longest: iterations from which on a reduction is split.
        most_results: results up to which it is.
    """
    return f"""
    "bellrock.split_reductions"(%module)
      {{longest = {longest} : i64, most_results = {most_results} : i64}}
      : (!transform.any_op) -> ()
    """
