"""Innermost loops run along memory (dialects/kernel_loops)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.order_loops"(%module) : (!transform.any_op) -> ()
    """
