"""Attentions that cannot be one kernel on engines are products (dialects/engine_attention)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.settle_engine_attentions"(%module) : (!transform.any_op) -> ()
    """
