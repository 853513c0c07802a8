"""Tell LLVM that the arguments of a kernel do not overlap (dialects/alias_scopes)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %functions = transform.structured.match ops{["llvm.func"]} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.alias_scopes"(%functions) : (!transform.any_op) -> ()
    """
