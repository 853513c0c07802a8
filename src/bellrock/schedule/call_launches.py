"""Launches become calls that whoever loads the program serves (dialects/device/calls)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["func.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.call_launches"(%functions) : (!transform.any_op) -> ()
    """
