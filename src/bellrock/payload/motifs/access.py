"""How an operand is indexed: affine maps as plain linear expressions.

Flows in: `ir.AffineMap`. Flows out: one `Expr` for each dimension of the operand; and the trip
counts of the loops, solved from the operands' shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.payload.motifs.base import DYNAMIC


@dataclass(frozen=True, slots=True)
class Expr:
    """One index: a sum of `coefficient * loop`, plus a constant."""

    terms: tuple[tuple[int, int], ...] = ()
    """Pairs (loop, coefficient), by loop."""
    constant: int = 0
    linear: bool = True
    """False: has a division or remainder; `terms` then lists the loops it reads, with 0."""

    @property
    def loop(self) -> int | None:
        """The loop, if the index is just one loop."""
        if self.linear and len(self.terms) == 1 and self.constant == 0 and self.terms[0][1] == 1:
            return self.terms[0][0]
        return None

    @property
    def is_constant(self) -> bool:
        """Whether no loop takes part."""
        return not self.terms


Access = tuple[Expr, ...]
"""Indices of one operand, outermost first."""


def read_map(affine_map: ir.AffineMap) -> Access:
    """Return the accesses that a map describes."""
    return tuple(_expr(e) for e in affine_map.results)


def _expr(e: ir.AffineExpr) -> Expr:
    if isinstance(e, ir.AffineDimExpr):
        return Expr(((e.position, 1),))
    if isinstance(e, ir.AffineConstantExpr):
        return Expr((), e.value)
    if isinstance(e, ir.AffineAddExpr):
        return _sum(_expr(e.lhs), _expr(e.rhs))
    if isinstance(e, ir.AffineMulExpr):
        return _scaled(_expr(e.lhs), _expr(e.rhs))
    if isinstance(e, ir.AffineBinaryExpr):
        return _opaque(_expr(e.lhs), _expr(e.rhs))
    return Expr(linear=False)


def _sum(a: Expr, b: Expr) -> Expr:
    if not (a.linear and b.linear):
        return _opaque(a, b)
    total: dict[int, int] = dict(a.terms)
    for loop, coefficient in b.terms:
        total[loop] = total.get(loop, 0) + coefficient
    kept = tuple(sorted((loop, c) for loop, c in total.items() if c))
    return Expr(kept, a.constant + b.constant)


def _scaled(a: Expr, b: Expr) -> Expr:
    if a.is_constant:
        a, b = b, a
    if not (a.linear and b.linear and b.is_constant):
        return _opaque(a, b)
    factor = b.constant
    terms = tuple((loop, c * factor) for loop, c in a.terms) if factor else ()
    return Expr(terms, a.constant * factor)


def _opaque(a: Expr, b: Expr) -> Expr:
    loops = sorted({loop for loop, _ in a.terms + b.terms})
    return Expr(tuple((loop, 0) for loop in loops), 0, linear=False)


def loops_in(access: Access) -> frozenset[int]:
    """Return the loops that an access reads."""
    return frozenset(loop for e in access for loop, _ in e.terms)


def is_projection(access: Access) -> bool:
    """Whether each index is one loop or a constant, and no loop occurs twice."""
    loops = [e.loop for e in access if not e.is_constant]
    return None not in loops and len(set(loops)) == len(loops)


def trip_counts(
    count: int, accesses: Sequence[Access], shapes: Sequence[tuple[int, ...]]
) -> tuple[int, ...]:
    """Return each loop's trip count, read where an operand is indexed by that loop alone."""
    sizes = [DYNAMIC] * count
    for access, shape in zip(accesses, shapes, strict=True):
        for expr, size in zip(access, shape, strict=True):
            loop = expr.loop
            if loop is not None and sizes[loop] == DYNAMIC:
                sizes[loop] = size
    return tuple(sizes)
