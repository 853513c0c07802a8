"""Functions of a row are computed once for each row (dialects/hoist_invariants)."""

from __future__ import annotations


def sequence(loops: int = 0) -> str:
    """Return the body of the sequence.

    Args:
        loops: 1 leaves what is outside of loops over rows as it is.
    """
    name = "scf.forall" if loops else "builtin.module"
    return f"""
    %found = transform.structured.match ops{{["{name}"]}} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.hoist_invariants"(%found) : (!transform.any_op) -> ()
    """
