"""Cut all ops of a kernel together, along the loops that they share (dialects/tile_rows)."""

from __future__ import annotations


def sequence(single: int = 0) -> str:
    """Return the body of the sequence.

    Args:
        single: 1 makes each row a block of its own; else blocks are as the kernel's choice says.
    """
    return f"""
    %functions = transform.structured.match ops{{["func.func"]}} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.tile_rows"(%functions) {{single = {single} : i64}} : (!transform.any_op) -> ()
    """
