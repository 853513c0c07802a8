"""What a contraction's factor computes becomes an op of its own (dialects/split_products)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.split_products"(%module) : (!transform.any_op) -> ()
    """
