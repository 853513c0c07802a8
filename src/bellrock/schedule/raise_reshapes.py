"""Cheap ops read in another shape, instead of being kept (dialects/raise_reshapes)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.raise_reshapes"(%module) : (!transform.any_op) -> ()
    """
