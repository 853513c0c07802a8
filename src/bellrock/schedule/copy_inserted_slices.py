"""Inserted slices become copies that can be tiled and outlined (dialects/destinations)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.copy_inserted_slices"(%module) : (!transform.any_op) -> ()
    """
