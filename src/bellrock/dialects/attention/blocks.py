"""The loops of an attention over blocks of queries and, inside, of keys.

Flows in: an `AttentionKernel`, its choice, the new function's buffers. Flows out: `scf` loops with
vector code in them, at the insertion point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, scf, vector
from torch_mlir.dialects import math as math_dialect

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.reading import AttentionKernel
from bellrock.dialects.attention.score_stages import ScoreStages, address, seen_keys
from bellrock.dialects.vector_code import Index


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The knobs of `flash-attention`."""

    lanes: int
    vectors: int
    rows: int
    keys: int
    parallel: bool


@dataclass(slots=True)
class Blocks:
    """Emits one kernel."""

    kernel: AttentionKernel
    choice: Choice
    arguments: list[ir.Value]
    buffers: dict[str, ir.Value] = field(default_factory=dict)
    """Of one block: queries, scores and sums, each with a block's queries side by side."""

    @property
    def width(self) -> int:
        """Queries of a block."""
        return self.choice.lanes * self.choice.vectors

    @property
    def places(self) -> list[int]:
        """Where each vector of a block's queries starts."""
        return [i * self.choice.lanes for i in range(self.choice.vectors)]

    def emit(self) -> None:
        """Emit the loop over blocks of queries."""
        kernel = self.kernel
        total = kernel.shape[kernel.query]
        outer = [d for d in range(len(kernel.shape)) if d not in (kernel.query, kernel.key)]
        sizes = [*(kernel.shape[d] for d in outer), -(-total // self.width)]
        with code.space(sizes, parallel=self.choice.parallel) as numbers:
            point = dict(zip(outer, numbers, strict=False))
            # Late blocks of a causal mask are the longest: they come first.
            block = code.subtract(sizes[-1] - 1, numbers[-1])
            point[kernel.query] = code.scaled(block, self.width)
            self._block(point, code.subtract(total, point[kernel.query]))

    def _block(self, point: dict[int, Index], left: Index) -> None:
        """Emit one block of queries."""
        kernel, width = self.kernel, self.width
        self.buffers = {
            "queries": self._buffer(kernel.depth_size),
            "scores": self._buffer(min(self.choice.keys, kernel.shape[kernel.key])),
            "sums": self._buffer(kernel.feature_size),
            "maximum": self._buffer(1),
            "total": self._buffer(1),
        }
        self._transpose_queries(point, left)
        zero = self._splat(0.0)
        for place in self.places:
            self._store(self._splat(-math.inf), "maximum", place)
            self._store(zero, "total", place)
        with code.loop(0, kernel.feature_size * width, self.choice.lanes) as at:
            self._store(zero, "sums", at)
        self._all_keys(point, left)
        self._finish(point, left)

    def _transpose_queries(self, point: dict[int, Index], left: Index) -> None:
        kernel, lanes = self.kernel, self.choice.lanes
        source = self.arguments[kernel.queries.argument]
        step = kernel.queries.stride(kernel.query)
        with code.loop(0, kernel.depth_size) as depth:
            for place in self.places:
                mask = self._mask(left, place)
                at = address(kernel.queries, {
                    **point, kernel.query: code.add(point[kernel.query], place), kernel.depth: depth
                })  # fmt: skip
                value = (
                    code.load(source, at, lanes, mask)
                    if step == 1
                    else code.gather(source, at, [i * step for i in range(lanes)], mask)
                )
                self._store(value, "queries", code.add(code.scaled(depth, self.width), place))

    def _all_keys(self, point: dict[int, Index], left: Index) -> None:
        """Emit the loop over blocks of keys that some query sees."""
        kernel, block = self.kernel, self.choice.keys
        total = kernel.shape[kernel.key]
        whole, rest = divmod(total, block)
        beyond = seen_keys(kernel)
        bound: Index = total
        if beyond is not None:
            first_unseen = code.add(point[kernel.query], self.width - 1 + beyond)
            low = arith.maxsi(code.as_value(first_unseen), code.as_value(0))
            bound = code.minimum(low, total)
        if whole:
            blocks = code.ceil_quotient(code.minimum(bound, whole * block), block)
            with code.loop(0, blocks) as number:
                self._keys({**point, kernel.key: code.scaled(number, block)}, left, block)
        if rest:
            start = whole * block
            if isinstance(bound, int):
                self._keys({**point, kernel.key: start}, left, rest)
                return
            seen = arith.cmpi(arith.CmpIPredicate.sgt, bound, code.as_value(start))
            branch = scf.IfOp(seen)
            with ir.InsertionPoint(branch.then_block):
                self._keys({**point, kernel.key: start}, left, rest)
                scf.YieldOp([])

    def _keys(self, point: dict[int, Index], left: Index, count: int) -> None:
        """Emit one block of keys."""
        self._tiles(count, lambda row, rows: self._score_tile(point, row, rows))
        scale = self._softmax(point, left, count)
        features = self.kernel.feature_size
        self._tiles(features, lambda row, rows: self._sum_tile(point, row, rows, count, scale))

    def _tiles(self, count: int, emit: Callable[[Index, int], None]) -> None:
        """Emit register tiles for all rows: a loop of full ones, and the rest."""
        rows = self.choice.rows
        full = count // rows * rows
        if full:
            with code.loop(0, full, rows) as row:
                emit(row, rows)
        if count - full:
            emit(full, count - full)

    def _score_tile(self, point: dict[int, Index], row: Index, rows: int) -> None:
        """Multiply some keys by the block's queries."""
        kernel = self.kernel
        keys = self.arguments[kernel.keys.argument]
        base = address(kernel.keys, {**point, kernel.key: code.add(point[kernel.key], row)})
        steps = kernel.keys.stride(kernel.key), kernel.keys.stride(kernel.depth)

        def step(depth: Index, sums: Sequence[ir.Value]) -> list[ir.Value]:
            at = code.add(base, code.scaled(depth, steps[1]))
            line = code.scaled(depth, self.width)
            return self._multiplied("queries", line, keys, at, steps[0], rows, sums)

        zero = self._splat(0.0)
        sums = [zero] * (rows * self.choice.vectors)
        sums = list(code.carried_loop(kernel.depth_size, 1, sums, step))
        for i, value in enumerate(sums):
            number, vector_number = divmod(i, self.choice.vectors)
            at = code.scaled(code.add(row, number), self.width)
            self._store(value, "scores", code.add(at, self.places[vector_number]))

    def _sum_tile(
        self, point: dict[int, Index], row: Index, rows: int, count: int, scale: list[ir.Value]
    ) -> None:
        """Add some features of the values, times the exponentials, to the sums."""
        kernel = self.kernel
        values = self.arguments[kernel.values.argument]
        base = address(kernel.values, {**point, kernel.feature: row})
        steps = kernel.values.stride(kernel.feature), kernel.values.stride(kernel.key)
        places = [
            code.add(code.scaled(code.add(row, r), self.width), place)
            for r in range(rows)
            for place in self.places
        ]

        def step(key: Index, sums: Sequence[ir.Value]) -> list[ir.Value]:
            at = code.add(base, code.scaled(key, steps[1]))
            line = code.scaled(key, self.width)
            return self._multiplied("scores", line, values, at, steps[0], rows, sums)

        sums = [
            arith.mulf(self._load("sums", at), scale[i % self.choice.vectors])
            for i, at in enumerate(places)
        ]
        for value, at in zip(code.carried_loop(count, 1, sums, step), places, strict=True):
            self._store(value, "sums", at)

    def _multiplied(
        self, name: str, line: Index, scalars: ir.Value, at: Index, step: int, rows: int,
        sums: Sequence[ir.Value],
    ) -> list[ir.Value]:  # fmt: skip
        """Return sums[r, v] + scalars[r] * line[v]."""
        vectors = [self._load(name, code.add(line, place)) for place in self.places]
        result: list[ir.Value] = []
        for r in range(rows):
            scalar = memref.load(scalars, [code.as_value(code.add(at, r * step))])
            factor = code.broadcast(scalar, self.choice.lanes)
            for v, value in enumerate(vectors):
                result.append(vector.fma(factor, value, sums[r * len(vectors) + v]))
        return result

    def _softmax(self, point: dict[int, Index], left: Index, count: int) -> list[ir.Value]:
        """Turn scores into exponentials; returns what earlier sums have to be scaled by."""
        old = [self._load("maximum", place) for place in self.places]
        new = code.carried_loop(
            count, 1, old, lambda row, peaks: self._peaks(point, left, row, peaks)
        )
        infinite = self._splat(-math.inf)
        # Where no key was seen yet, exponentials are of minus infinity less zero.
        unseen = [arith.cmpf(arith.CmpFPredicate.OEQ, n, infinite) for n in new]
        shift = [arith.select(u, self._splat(0.0), n) for u, n in zip(unseen, new, strict=True)]

        def exponentials(row: Index, totals: Sequence[ir.Value]) -> list[ir.Value]:
            found: list[ir.Value] = []
            for place, s, total in zip(self.places, shift, totals, strict=True):
                at = code.add(code.scaled(row, self.width), place)
                value = math_dialect.exp(arith.subf(self._load("scores", at), s))
                self._store(value, "scores", at)
                found.append(arith.addf(total, value))
            return found

        scale = [math_dialect.exp(arith.subf(o, s)) for o, s in zip(old, shift, strict=True)]
        totals = [
            arith.mulf(self._load("total", place), s)
            for place, s in zip(self.places, scale, strict=True)
        ]
        summed = code.carried_loop(count, 1, totals, exponentials)
        for place, n, total in zip(self.places, new, summed, strict=True):
            self._store(n, "maximum", place)
            self._store(total, "total", place)
        return scale

    def _peaks(
        self, point: dict[int, Index], left: Index, row: Index, peaks: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Apply the stages to one key's scores, and return the maxima with them."""
        kernel, stages = self.kernel, ScoreStages(self.kernel, self.arguments, self.choice.lanes)
        found: list[ir.Value] = []
        for place, peak in zip(self.places, peaks, strict=True):
            at = code.add(code.scaled(row, self.width), place)
            here = {
                **point,
                kernel.key: code.add(point[kernel.key], row),
                kernel.query: code.add(point[kernel.query], place),
            }
            value = self._load("scores", at)
            if kernel.stages:
                value = stages.emit(value, here, self._inside(left, place))
                self._store(value, "scores", at)
            # A NaN is not kept here, but its exponential is.
            larger = arith.cmpf(arith.CmpFPredicate.OGT, value, peak)
            found.append(arith.select(larger, value, peak))
        return found

    def _finish(self, point: dict[int, Index], left: Index) -> None:
        """Divide by the totals, and put the results where they belong."""
        kernel = self.kernel
        target = self.arguments[kernel.result.argument]
        step = kernel.result.stride(kernel.query)
        steps = [i * step for i in range(self.choice.lanes)]
        totals = [self._load("total", place) for place in self.places]
        if kernel.empty_is_zero:
            zero, one = self._splat(0.0), self._splat(1.0)
            empty = [arith.cmpf(arith.CmpFPredicate.OEQ, t, zero) for t in totals]
            totals = [arith.select(e, one, t) for e, t in zip(empty, totals, strict=True)]
        with code.loop(0, kernel.feature_size) as feature:
            for place, total in zip(self.places, totals, strict=True):
                at = code.add(code.scaled(feature, self.width), place)
                value = arith.divf(self._load("sums", at), total)
                where = address(kernel.result, {
                    **point, kernel.query: code.add(point[kernel.query], place),
                    kernel.feature: feature,
                })  # fmt: skip
                mask = self._mask(left, place)
                if step == 1:
                    code.store(value, target, where, mask)
                else:
                    code.scatter(value, target, where, steps, mask)

    def _mask(self, left: Index, place: int) -> ir.Value | None:
        return code.prefix_mask(self.choice.lanes, self._inside(left, place))

    def _inside(self, left: Index, place: int) -> Index:
        """Return how many queries of a vector there are."""
        whole = self.kernel.shape[self.kernel.query] % self.width == 0
        return self.choice.lanes if whole else code.subtract(left, place)

    def _buffer(self, rows: int) -> ir.Value:
        return code.stack_buffer(rows * self.width, ir.F32Type.get())

    def _splat(self, number: float) -> ir.Value:
        element = ir.F32Type.get()
        return code.splat(self.choice.lanes, element, ir.FloatAttr.get(element, number))

    def _load(self, name: str, at: Index) -> ir.Value:
        return code.load(self.buffers[name], at, self.choice.lanes)

    def _store(self, value: ir.Value, name: str, at: Index) -> None:
        code.store(value, self.buffers[name], at)
