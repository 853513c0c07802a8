"""Results and loop-carried values get a buffer to live in (dialects/destinations).

Needs: kernels outlined and stubbed. Leaves: one destination argument per result.
"""

from __future__ import annotations


def sequence() -> str:
    """Return the body of the sequence."""
    return """
    %entry = "bellrock.entry_function"(%module) : (!transform.any_op) -> !transform.any_op
    "bellrock.settle_loop_carries"(%entry) : (!transform.any_op) -> ()
    "bellrock.return_in_arguments"(%entry) : (!transform.any_op) -> ()
    """
