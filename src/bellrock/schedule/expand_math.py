"""Functions such as exp become arithmetic that vectorises (dialects/expand_math)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.expand_math"(%module) : (!transform.any_op) -> ()
    """
