"""Tables become data of kernels: a device cannot read the host's (dialects/device/constants)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.load_constants"(%module) : (!transform.any_op) -> ()
    """
