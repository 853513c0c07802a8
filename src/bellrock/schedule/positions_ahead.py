"""Positions are computed by vectors, ahead of the updates (dialects/positions_ahead)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.positions_ahead"(%module) : (!transform.any_op) -> ()
    """
