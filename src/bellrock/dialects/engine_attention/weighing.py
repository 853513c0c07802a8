"""How scores become what values are multiplied by: by a softmax over all keys, or as they are.

Flows in: what a lane knows of one query so far, vectors of its next scores in f32. Flows out: what
it knows then, weights for these keys, and after the last key its results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch_mlir import ir
from torch_mlir.dialects import arith, vector
from torch_mlir.dialects import math as math_dialect

from bellrock.dialects import vector_code as code
from bellrock.dialects.engine_attention.scores import splat
from bellrock.dialects.matrix_engine.block_io import ROWS


@dataclass(frozen=True, slots=True)
class Query:
    """What a lane knows of one query."""

    known: tuple[ir.Value, ...]
    """Scalars of its weighing."""
    sums: tuple[ir.Value, ...]
    """Of the second product: a vector for each 8 features."""

    @property
    def values(self) -> list[ir.Value]:
        """All of it, to be carried by a loop."""
        return [*self.known, *self.sums]


class Weighing(Protocol):
    """What is made of scores."""

    @property
    def beyond(self) -> float:
        """The score of keys that there are not."""
        ...

    def start(self) -> tuple[ir.Value, ...]:
        """Return what is known before the first key."""
        ...

    def turn(self, scores: Sequence[ir.Value], before: Query) -> tuple[Query, list[ir.Value]]:
        """Return what is known after some more keys, and their weights in f32."""
        ...

    def results(self, query: Query) -> list[ir.Value]:
        """Return the results after the last key."""
        ...


@dataclass(frozen=True, slots=True)
class OnlineSoftmax:
    """Exponentials less the largest so far; a larger one scales what was summed before."""

    empty_is_zero: bool
    """Whether a query that sees no key gives zeros instead of NaN."""

    @property
    def beyond(self) -> float:
        return -math.inf

    def start(self) -> tuple[ir.Value, ...]:
        f32 = ir.F32Type.get()
        return arith.constant(f32, -math.inf), arith.constant(f32, 0.0)

    def turn(self, scores: Sequence[ir.Value], before: Query) -> tuple[Query, list[ir.Value]]:
        maximum, total = before.known
        f32 = ir.F32Type.get()
        peak = larger(maximum, peak_of(scores))
        unseen = arith.cmpf(arith.CmpFPredicate.OEQ, peak, arith.constant(f32, -math.inf))
        # Where no key was seen yet, exponentials are of minus infinity less zero.
        shift = arith.select(unseen, arith.constant(f32, 0.0), peak)
        scale = math_dialect.exp(arith.subf(maximum, shift))
        shifts = code.broadcast(shift, ROWS)
        weights = [math_dialect.exp(arith.subf(value, shifts)) for value in scores]
        total = arith.addf(arith.mulf(total, scale), sum_of(weights))
        scales = code.broadcast(scale, ROWS)
        sums = tuple(arith.mulf(value, scales) for value in before.sums)
        return Query((peak, total), sums), weights

    def results(self, query: Query) -> list[ir.Value]:
        total = query.known[1]
        f32 = ir.F32Type.get()
        if self.empty_is_zero:
            zero = arith.constant(f32, 0.0)
            empty = arith.cmpf(arith.CmpFPredicate.OEQ, total, zero)
            total = arith.select(empty, arith.constant(f32, 1.0), total)
        totals = code.broadcast(total, ROWS)
        return [arith.divf(value, totals) for value in query.sums]


@dataclass(frozen=True, slots=True)
class AsScored:
    """Scores are the weights."""

    @property
    def beyond(self) -> float:
        return 0.0

    def start(self) -> tuple[ir.Value, ...]:
        return ()

    def turn(self, scores: Sequence[ir.Value], before: Query) -> tuple[Query, list[ir.Value]]:
        return before, list(scores)

    def results(self, query: Query) -> list[ir.Value]:
        return list(query.sums)


def larger(a: ir.Value, b: ir.Value) -> ir.Value:
    """Return the larger; a NaN in `b` is not kept, but its exponential will be."""
    return arith.select(arith.cmpf(arith.CmpFPredicate.OGT, b, a), b, a)


def peak_of(vectors: Sequence[ir.Value]) -> ir.Value:
    """Return the largest element."""
    best = splat(ROWS, -math.inf)
    for value in vectors:
        best = larger(best, value)
    return _folded(best, larger)


def sum_of(vectors: Sequence[ir.Value]) -> ir.Value:
    """Return the sum of all elements."""
    total = vectors[0]
    for value in vectors[1:]:
        total = arith.addf(total, value)
    return _folded(total, arith.addf)


def _folded(value: ir.Value, combine: Callable[[ir.Value, ir.Value], ir.Value]) -> ir.Value:
    """Return all elements of a vector combined in a tree."""
    elements = [vector.extract(value, [], [e]) for e in range(ROWS)]
    while len(elements) > 1:
        elements = [combine(a, b) for a, b in zip(elements[::2], elements[1::2], strict=True)]
    return elements[0]
