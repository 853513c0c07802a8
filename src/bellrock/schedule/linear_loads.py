"""What a body loads at linear positions becomes an operand (dialects/linear_loads)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.linear_loads"(%module) : (!transform.any_op) -> ()
    """
