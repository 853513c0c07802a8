"""Named transposes become generics first, so that their unit dimensions can go."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %named = transform.structured.match ops{["linalg.transpose"]} in %module
      : (!transform.any_op) -> !transform.any_op
    %generic = transform.structured.generalize %named
      : (!transform.any_op) -> !transform.any_op
    """
