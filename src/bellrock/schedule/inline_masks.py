"""Truth values are computed where they are read (dialects/inline_producers)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.inline_masks"(%module) : (!transform.any_op) -> ()
    """
