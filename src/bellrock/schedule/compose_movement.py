"""What is put together of parts is written in one pass (dialects/movement)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.compose_movement"(%module) : (!transform.any_op) -> ()
    """
