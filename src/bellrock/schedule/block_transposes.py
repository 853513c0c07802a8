"""Elementwise ops that read across memory go by square blocks (dialects/block_transposes)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.block_transposes"(%module) : (!transform.any_op) -> ()
    """
