"""What is kept and also reduced is reduced as it is made (dialects/reduce_as_made)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.reduce_as_made"(%module) : (!transform.any_op) -> ()
    """
