"""Convolutions that may use large tiles are marked (dialects/convolution/large_tiles)."""

from __future__ import annotations


def sequence(tile: int = 2, percent: int = 8) -> str:
    """Return the body of the sequence.

    Args:
        tile: results along an axis of the largest tile of minimal filtering that is allowed; 2
            marks none.
        percent: of a function's memory that copies of weights may take beside it; 0 marks none.
    """
    return f"""
    "bellrock.offer_large_tiles"(%module) {{tile = {tile} : i64, percent = {percent} : i64}}
        : (!transform.any_op) -> ()
    """
