"""Cut all ops of a kernel together, along the loops that they share (dialects/tile_rows)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.tile_rows"(%functions) : (!transform.any_op) -> ()
    """
