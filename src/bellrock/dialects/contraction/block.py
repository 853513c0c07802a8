"""A block of a contraction's result, and the choice by which it is computed.

Flows in: what `registers.py` read off a plan. Flows out: `Shape`, `Block`, and the types of what
adds up a register tile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.contraction.epilogue import Finish
from bellrock.dialects.contraction.loops import Size
from bellrock.dialects.contraction.panels import Source
from bellrock.dialects.contraction.product import Product


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The choice for one block."""

    rows: int
    """Rows of a register tile."""
    vectors: int
    """Vectors in a row of a register tile."""
    depth: int
    """Elements of k that are worked on at a time."""
    unroll: int
    """Units of k in one iteration of the innermost loop."""
    copy_left: bool
    pack_right: bool
    most_columns: int
    """Columns of the largest block."""
    engine: bool = False
    """Whether sums are in the tiles of a matrix engine; both operands are then in panels."""
    packed: ir.Value | None = None
    """The right operand of the block in panels, by panel, unit of k, column; where it is packed
    before."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of the result, with all that its loops need."""

    shape: Shape
    product: Product
    left: Source
    right: Source
    out: ir.Value
    out_contiguous: bool
    rows: Size
    columns: Size
    depth: Size
    """Elements of k."""
    finish: Finish | None
    """What follows the last part of k."""
    start: float | None
    """What accumulators start from; None: the result's old value."""


Sums = Callable[[int, int], ir.Value]
"""(row, number of the vector) -> sums over the depth; where they are in memory, loads them."""
Run = Callable[[float], Sums]
"""Adds up over the depth, from a number."""
