"""Attention on matrix engines becomes code of lanes (dialects/engine_attention)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.lower_engine_attentions"(%module) : (!transform.any_op) -> ()
    """
