"""Work-items of a group reduce a row together (dialects/device/group_reductions)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.reduce_by_groups"(%functions) : (!transform.any_op) -> ()
    """
