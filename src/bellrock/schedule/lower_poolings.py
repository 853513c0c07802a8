"""Poolings along memory become vector code (dialects/pooling)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.lower_poolings"(%module) : (!transform.any_op) -> ()
    """
