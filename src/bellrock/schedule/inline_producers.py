"""Compute again what is cheaper than to keep between passes (dialects/inline_producers)."""

from __future__ import annotations

KEPT_BYTES = 1 << 18
"""A larger result would not stay in a processor's L2 cache."""


def sequence(kept_bytes: int = KEPT_BYTES, loops: int = 0) -> str:
    """Return the body of the sequence.

    Args:
        kept_bytes: above which a result is not kept, whatever it costs.
        loops: 1 leaves what is outside of loops over rows as it is.
    """
    name = "scf.forall" if loops else "builtin.module"
    return f"""
    %found = transform.structured.match ops{{["{name}"]}} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.inline_producers"(%found) {{kept_bytes = {kept_bytes} : i64}}
      : (!transform.any_op) -> ()
    """
