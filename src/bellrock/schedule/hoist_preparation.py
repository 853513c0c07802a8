"""What depends on fixed arguments only runs once, before the calls (dialects/preparation)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %entry = "bellrock.entry_function"(%module) : (!transform.any_op) -> !transform.any_op
    "bellrock.hoist_preparation"(%entry) : (!transform.any_op) -> ()
    """
