"""Compute again what is cheaper than to keep between passes (dialects/inline_producers)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.inline_producers"(%module) : (!transform.any_op) -> ()
    """
