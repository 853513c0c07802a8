"""Functions such as exp become arithmetic that vectorises (dialects/expand_math)."""

from __future__ import annotations


def sequence(scales: int = 0) -> str:
    """Return the body of the sequence.

    Args:
        scales: 1 if the processor multiplies vectors by powers of two in one instruction.
    """
    return f"""
    "bellrock.expand_math"(%module) {{scales = {scales} : i64}} : (!transform.any_op) -> ()
    """
