"""Contractions on matrix engines become code of lanes (dialects/matrix_engine)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.lower_matrix_products"(%module) : (!transform.any_op) -> ()
    """
