"""Scans and scatters become loops over slices (dialects/sequential_loops)."""

from __future__ import annotations


def sequence(by_lines: int = 0) -> str:
    """Return the body of the sequence.

    Args:
        by_lines: 1 makes each line of a scan an iteration of a parallel loop.
    """
    return f"""
    "bellrock.scan_to_loops"(%module) {{by_lines = {by_lines} : i64}} : (!transform.any_op) -> ()
    "bellrock.scatter_to_loops"(%module) : (!transform.any_op) -> ()
    """
