"""A block's temporaries go where its result goes, or on the stack (dialects/block_results)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.block_results"(%functions) : (!transform.any_op) -> ()
    """
