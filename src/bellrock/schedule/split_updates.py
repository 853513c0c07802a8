"""What windowed and gathering reductions combine is an op (dialects/split_updates)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.split_updates"(%module) : (!transform.any_op) -> ()
    """
