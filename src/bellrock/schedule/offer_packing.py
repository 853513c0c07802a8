"""Operands that may be packed once per set of weights are marked (dialects/contraction/weights)."""

from __future__ import annotations


def sequence(percent: int = 8) -> str:
    """Return the body of the sequence.

    Args:
        percent: of a function's memory that packed weights may take beside it; 0 packs none.
    """
    return f"""
    "bellrock.offer_packing"(%module) {{percent = {percent} : i64}} : (!transform.any_op) -> ()
    """
