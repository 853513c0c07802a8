"""Kernels that matrix engines cannot take lose their choice (dialects/matrix_engine)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.settle_matrix_products"(%module) : (!transform.any_op) -> ()
    """
