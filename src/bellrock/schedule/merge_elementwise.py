"""Elementwise ops that read each other become one (dialects/merge_elementwise)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.merge_elementwise"(%functions) : (!transform.any_op) -> ()
    """
