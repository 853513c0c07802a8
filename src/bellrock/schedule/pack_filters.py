"""The packed filters of direct convolutions become ops (dialects/convolution)."""

from __future__ import annotations


def sequence(percent: int = 8) -> str:
    """Return the body of the sequence.

    Args:
        percent: of a function's memory that copies of weights may take beside it; 0 allows none.
    """
    return f"""
    "bellrock.pack_filters"(%module) {{percent = {percent} : i64}} : (!transform.any_op) -> ()
    """
