"""The packed filters of direct convolutions become ops (dialects/convolution)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.pack_filters"(%module) : (!transform.any_op) -> ()
    """
