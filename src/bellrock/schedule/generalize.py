"""Named linalg ops become generics, except fills, which stay cheap to repeat.

Rewrite: linalg.matmul -> linalg.generic {maps of a matmul}
"""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %named = "bellrock.named_structured"(%module) : (!transform.any_op) -> !transform.any_op
    %generic = transform.structured.generalize %named
      : (!transform.any_op) -> !transform.any_op
    """
