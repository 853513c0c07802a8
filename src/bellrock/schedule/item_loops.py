"""Linalg on buffers becomes loops whose iterations are work-items (dialects/device/item_loops)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.item_loops"(%module) : (!transform.any_op) -> ()
    """
