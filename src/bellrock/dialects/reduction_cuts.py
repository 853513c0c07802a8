"""Which loop of a long reduction is cut, and into how many pieces.

Flows in: a reduction and the wanted size of a piece. Flows out: a `Cut`.
"""

import math
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import iterators

_NEAR = math.log(4)
"""Pieces within this factor of the wanted size are all equally good."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which loop is cut, and into how many pieces of how many iterations."""

    loop: int
    pieces: int
    piece: int
    """Iterations of the loop in one piece; `pieces * piece` may fall short of the loop."""


def best_cut(op: ir.Operation, sizes: dict[int, int], wanted: int, length: int) -> Cut | None:
    """Return the cut whose pieces are nearest to the wanted size.

    An outer loop is preferred to an inner one if its pieces are near enough: they are contiguous.
    """
    best: Cut | None = None
    nearest = math.inf
    for loop, kind in enumerate(iterators(op)):
        if kind != "reduction" or sizes[loop] < 2 or not _stands_alone(op, loop):
            continue
        inner = length // sizes[loop]
        cut = _cut(loop, sizes[loop], max(1, wanted // inner))
        distance = max(abs(math.log(cut.piece * inner / wanted)), _NEAR)
        if distance < nearest:
            best, nearest = cut, distance
    return best


def _cut(loop: int, size: int, wanted: int) -> Cut:
    """Cut a loop into pieces of about the wanted size, without remainder where one exists."""
    wanted = min(wanted, size // 2)
    if wanted == 1:
        return Cut(loop, size, 1)
    for piece in range(wanted, wanted // 2, -1):
        if size % piece == 0:
            return Cut(loop, size // piece, piece)
    return Cut(loop, size // wanted, wanted)


def _stands_alone(op: ir.Operation, loop: int) -> bool:
    """Whether every operand that depends on a loop has a dimension that is that loop alone."""
    dim = ir.AffineExpr.get_dim(loop, op.context)
    return all(
        expr == dim or not _mentions(expr, loop)
        for access in maps_of(op)
        for expr in access.results
    )


def _mentions(expr: ir.AffineExpr, loop: int) -> bool:
    if isinstance(expr, ir.AffineDimExpr):
        return expr.position == loop
    if isinstance(expr, ir.AffineBinaryExpr):
        return _mentions(expr.lhs, loop) or _mentions(expr.rhs, loop)
    return False
