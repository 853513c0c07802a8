"""A convolution by minimal filtering becomes vector code (dialects/convolution/winograd)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.lower_winograd"(%module) : (!transform.any_op) -> ()
    """
