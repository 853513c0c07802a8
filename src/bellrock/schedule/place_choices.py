"""The anchor's choice becomes the tiles of its kernel's root (dialects/kernel_loops)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.place_tiles"(%functions) : (!transform.any_op) -> ()
    """
