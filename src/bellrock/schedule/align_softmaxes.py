"""A softmax and the product after it see scores in one shape (dialects/align_softmaxes)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.align_softmaxes"(%module) : (!transform.any_op) -> ()
    """
