"""All passes over a row are one launch (dialects/device/row_launches)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.launch_rows"(%functions) : (!transform.any_op) -> ()
    """
