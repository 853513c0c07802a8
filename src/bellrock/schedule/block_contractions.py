"""Contractions of the choice `panels` become register tiles (dialects/block_contraction)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.block_contraction"(%module) : (!transform.any_op) -> ()
    """
