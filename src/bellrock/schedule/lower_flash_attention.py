"""Attention in one pass over keys and values becomes vector code (dialects/attention)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.lower_flash_attention"(%module) : (!transform.any_op) -> ()
    """
