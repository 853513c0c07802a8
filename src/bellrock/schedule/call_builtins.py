"""Functions of math on the device become calls of built-in functions (dialects/device/builtins)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.call_builtins"(%module) : (!transform.any_op) -> ()
    """
