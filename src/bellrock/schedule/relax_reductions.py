"""Reductions may be summed in any order (dialects/kernel_loops)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.relax_reductions"(%module) : (!transform.any_op) -> ()
    """
