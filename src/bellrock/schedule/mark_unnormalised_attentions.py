"""Attentions without a softmax become motifs (dialects/engine_attention/marking)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.mark_unnormalised_attentions"(%module) : (!transform.any_op) -> ()
    """
