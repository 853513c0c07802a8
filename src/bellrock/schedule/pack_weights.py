"""Weights become panels, by ops of their own (dialects/contraction/weights)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.pack_weights"(%module) : (!transform.any_op) -> ()
    """
