"""Transposes and broadcasts go into the maps of their users (dialects/fold_movement)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.fold_movement"(%module) : (!transform.any_op) -> ()
    """
