"""Long reductions to few results are reduced in pieces first (dialects/split_reductions)."""

from __future__ import annotations


def sequence(
    longest: int = 32768,
    longest_of_one: int = 32768,
    fewest: int = 1024,
    most_results: int = 4096,
    longest_row: int = 0,
    fewest_rows: int = 1,
    longest_shared: int = 0,
) -> str:
    """Return the body of the sequence.

    Args:
        longest: iterations from which on a reduction is split.
        longest_of_one: the same for a reduction of one operand, or to one number.
        fewest: iterations of a piece at the least.
        most_results: results up to which it is.
        longest_row: iterations up to which one along memory is not: work-items share its rows.
        fewest_rows: results from which on that holds.
        longest_shared: iterations up to which it holds for fewer.
    """
    return f"""
    "bellrock.split_reductions"(%module)
      {{longest = {longest} : i64, longest_of_one = {longest_of_one} : i64,
        fewest = {fewest} : i64, most_results = {most_results} : i64,
        longest_row = {longest_row} : i64, fewest_rows = {fewest_rows} : i64,
        longest_shared = {longest_shared} : i64}}
      : (!transform.any_op) -> ()
    """
