"""What is gathered from is computed where it is read (dialects/inline_gathered)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.inline_gathered"(%module) : (!transform.any_op) -> ()
    """
