"""Group ops into kernels, each a function of its own (dialects/outline_kernels)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.outline_kernels"(%functions) : (!transform.any_op) -> ()
    """
