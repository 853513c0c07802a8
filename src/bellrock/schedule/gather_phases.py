"""Transposed convolutions multiply no zeros between elements (dialects/matrix_engine/phases)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.gather_phases"(%module) : (!transform.any_op) -> ()
    """
