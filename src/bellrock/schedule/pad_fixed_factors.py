"""Weights that block loads refuse are copied once (dialects/matrix_engine/padding)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.pad_fixed_factors"(%module) : (!transform.any_op) -> ()
    """
