"""The kernels of a function share one device module (dialects/device/calls)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.share_modules"(%module) : (!transform.any_op) -> ()
    """
