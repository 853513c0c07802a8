"""Inputs of windowed ops are as large as they are read (dialects/trim_windows)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.trim_windows"(%module) : (!transform.any_op) -> ()
    """
