"""A convolution on packed input becomes vector code (dialects/convolution)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.lower_direct_convolution"(%module) : (!transform.any_op) -> ()
    """
