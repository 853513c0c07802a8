"""Private buffers are in the default memory space from here on (dialects/device/private)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.private_space"(%module) : (!transform.any_op) -> ()
    """
