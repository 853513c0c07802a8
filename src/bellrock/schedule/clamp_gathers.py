"""Element reads at computed indices stay in bounds (dialects/clamp_gathers)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    "bellrock.clamp_gathers"(%module) : (!transform.any_op) -> ()
    """
