"""Scans and scatters become loops over slices (dialects/sequential_loops)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.scan_to_loops"(%module) : (!transform.any_op) -> ()
    "bellrock.scatter_to_loops"(%module) : (!transform.any_op) -> ()
    """
