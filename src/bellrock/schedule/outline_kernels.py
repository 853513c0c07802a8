"""Group ops into kernels, each a function of its own (dialects/outline_kernels)."""

from __future__ import annotations


def sequence(fewest_rows: int = 16, small: int = 65536) -> str:
    """Return the body of the sequence.

    Args:
        fewest_rows: that a kernel around reductions has, so that every core has work.
        small: iterations of a kernel's longest op up to which it may have fewer.
    """
    return f"""
    %functions = transform.structured.match ops{{["func.func"]}} in %module
      : (!transform.any_op) -> !transform.any_op
    "bellrock.outline_kernels"(%functions)
      {{fewest_rows = {fewest_rows} : i64, small = {small} : i64}}
      : (!transform.any_op) -> ()
    """
