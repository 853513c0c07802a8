"""Tensor constants of one repeated value become fills (dialects/destinations)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.fill_splats"(%module) : (!transform.any_op) -> ()
    """
