"""Reductions along memory become vectors with masked tails (dialects/vectorize_reductions)."""

from __future__ import annotations


def sequence(vector_bits: int = 512) -> str:
    """Return the body of the sequence.

    Args:
        vector_bits: of a vector register.
    """
    return f"""
    "bellrock.vectorize_reductions"(%module) {{vector_bits = {vector_bits} : i64}}
      : (!transform.any_op) -> ()
    """
