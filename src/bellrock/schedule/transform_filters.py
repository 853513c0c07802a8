"""The transformed filters of Winograd's algorithm become ops (dialects/convolution)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.transform_filters"(%module) : (!transform.any_op) -> ()
    """
