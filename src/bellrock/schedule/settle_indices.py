"""What is known of an index is not computed (dialects/settle_indices)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.settle_indices"(%module) : (!transform.any_op) -> ()
    """
