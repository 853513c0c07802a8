"""Offsets of alike slices become operands of their kernel (dialects/share_positions)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.share_positions"(%module) : (!transform.any_op) -> ()
    """
