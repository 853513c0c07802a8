"""Each kernel's function notes the group size of its anchor's choice (dialects/device/launches)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.place_groups"(%functions) : (!transform.any_op) -> ()
    """
