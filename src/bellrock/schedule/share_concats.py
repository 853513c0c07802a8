"""Concatenations start from shorter ones of the same values (dialects/share_concats)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.share_concats"(%module) : (!transform.any_op) -> ()
    """
