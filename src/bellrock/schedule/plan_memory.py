"""All buffers of the host function in one workspace (dialects/plan_memory)."""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %entry = "bellrock.entry_function"(%module) : (!transform.any_op) -> !transform.any_op
    "bellrock.plan_memory"(%entry) : (!transform.any_op) -> ()
    """
