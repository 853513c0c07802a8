"""Functions such as exp become arithmetic that vectorises (dialects/expand_math)."""

from __future__ import annotations


def sequence(scales: int = 0, binary64: int = 1) -> str:
    """Return the body of the sequence.

    Args:
        scales: 1 if the processor multiplies vectors by powers of two in one instruction.
        binary64: 0 leaves functions alone that take binary64 on the way.
    """
    return f"""
    "bellrock.expand_math"(%module) {{scales = {scales} : i64, binary64 = {binary64} : i64}}
      : (!transform.any_op) -> ()
    """
