"""The code of an attention in one pass: a grid of sub-groups, each with some queries.

Flows in: an `AttentionKernel`, its choice, the new function's buffers. Flows out: a `gpu.launch`
whose body is the code of one lane.

Both products are made transposed: scores have a row for each key and a column, which is a lane, for
each query. A lane then has all of a softmax: its maximum, total and scale are scalars, and nothing
goes across lanes. What the first product leaves in the lanes is what the second takes there as its
right factor, without any movement; and the sums of the second are features by queries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, gpu

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.factor import Factor
from bellrock.dialects.attention.reading import AttentionKernel
from bellrock.dialects.attention.score_stages import seen_keys
from bellrock.dialects.convolution.operands import Operand
from bellrock.dialects.engine_attention.fragments import FactorMatrix, Fragments
from bellrock.dialects.engine_attention.results import store_features
from bellrock.dialects.engine_attention.scores import LaneScores
from bellrock.dialects.engine_attention.weighing import AsScored, OnlineSoftmax, Query, Weighing
from bellrock.dialects.matrix_engine.block_io import DEPTH, LANES, ROWS, multiply
from bellrock.dialects.matrix_engine.views import split
from bellrock.dialects.vector_code import Index

_UNROLLED_DEPTH = 16
"""Steps of the depth that are written out; more of them are a loop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The knobs of `dpas-attention`."""

    queries: int
    """Of a sub-group."""
    keys: int
    """Of a turn of the loop."""
    features: int
    """Of a sub-group."""
    sub_groups: int
    """Of a work-group."""
    held: bool
    """Whether queries stay in registers."""
    prefetch_depth: int
    """Turns of the loop that keys and values are asked for ahead."""
    registers: int
    """Of a thread."""


def emit_attention(kernel: AttentionKernel, choice: Choice, arguments: Sequence[ir.Value]) -> None:
    """Emit the launch of a kernel, into the function that the arguments are of."""
    outer = [d for d in range(len(kernel.shape)) if d not in (kernel.query, kernel.key)]
    sizes = [kernel.shape[d] for d in outer]
    grid = (
        -(-kernel.shape[kernel.query] // (choice.queries * choice.sub_groups)),
        -(-kernel.feature_size // choice.features),
        math.prod(sizes),
    )
    launch = gpu.LaunchOp(grid, (choice.sub_groups * LANES, 1, 1))
    block = launch.operation.regions[0].blocks[0]
    with ir.InsertionPoint(block):
        column, part, plane = (
            v if size > 1 else 0 for v, size in zip(list(block.arguments)[:3], grid, strict=True)
        )
        # Late queries of a causal mask see the most keys: they come first.
        column = code.subtract(grid[0] - 1, column)
        sub_group = 0 if choice.sub_groups == 1 else gpu.subgroup_id()
        first = code.add(code.scaled(column, choice.sub_groups), sub_group)
        batch = dict(zip(outer, split(plane, sizes), strict=True))
        _SubGroup(
            kernel.at_positions(arguments), choice, arguments, batch, sub_group,
            code.scaled(first, choice.queries), code.scaled(part, choice.features),
        ).emit()  # fmt: skip
        gpu.terminator()


class _SubGroup:
    """The code of a lane of one sub-group."""

    def __init__(
        self, kernel: AttentionKernel, choice: Choice, arguments: Sequence[ir.Value],
        batch: dict[int, Index], sub_group: Index, query: Index, feature: Index,
    ) -> None:  # fmt: skip
        self._kernel, self._choice, self._arguments = kernel, choice, arguments
        self._batch, self._query, self._feature = batch, query, feature
        self._lane = gpu.lane_id()
        keys = kernel.shape[kernel.key]
        self._keys = min(choice.keys, -(-keys // DEPTH) * DEPTH)
        self._columns = choice.queries // LANES
        self._blocks = -(-min(choice.features, kernel.feature_size) // ROWS)
        self._right = self._fragments(
            kernel.queries, kernel.query_factor, kernel.query, kernel.depth, is_a=False
        )
        self._left = self._fragments(
            kernel.keys, kernel.key_factor, kernel.key, kernel.depth, is_a=True
        )
        self._values = self._fragments(
            kernel.values, kernel.value_factor, kernel.feature, kernel.key, is_a=True
        )
        self._held: dict[int, list[ir.Value]] = {}
        self._ahead = self._prefetched(sub_group) if choice.prefetch_depth else []
        self._weighing: Weighing = (
            OnlineSoftmax(kernel.empty_is_zero) if kernel.softmax else AsScored()
        )
        self._scores = LaneScores(
            kernel, arguments, keys_fit=keys % self._keys == 0, beyond=self._weighing.beyond
        )

    def _fragments(
        self, operand: Operand, made: Factor, across: int, depth: int, *, is_a: bool
    ) -> Fragments:
        """Return how a factor is read; what both products have are keys, by turns."""
        kernel = self._kernel
        matrix = FactorMatrix(
            operand=operand, made=made, across=across, depth=depth, is_a=is_a,
            sizes=(*kernel.shape, kernel.depth_size, kernel.feature_size),
            step=self._keys if depth == kernel.key else DEPTH,
        )  # fmt: skip
        return Fragments(matrix, self._arguments[operand.argument], self._batch, self._lane)

    def _prefetched(self, sub_group: Index) -> list[Callable[[Index], None]]:
        """Return what asks for the keys of a turn, and for their values."""
        depth, features = self._kernel.depth_size, self._blocks * ROWS
        found: list[Callable[[Index], None]] = []
        keys, values = (
            f.prefetcher(sub_group, self._choice.sub_groups) for f in (self._left, self._values)
        )
        if keys is not None:
            area = (self._keys, depth)
            found.append(lambda key, p=keys: self._left.prefetch(p, key, 0, area))
        if values is not None:
            part = (features, self._keys)
            found.append(lambda key, p=values: self._values.prefetch(p, self._feature, key, part))
        return found

    def _ask_for(self, key: Index) -> None:
        for ask in self._ahead:
            ask(key)

    def emit(self) -> None:
        """Emit the loop over keys, and the results."""
        if self._choice.held:
            for at in range(0, self._kernel.depth_size, DEPTH):
                self._held[at] = self._right.at(self._query, at, self._columns)
        zeros = (code.zeros(ROWS, ir.F32Type.get()),) * self._blocks
        one = Query(self._weighing.start(), zeros)
        start = one.values * self._columns
        bound = self._seen()
        if isinstance(bound, int) and bound <= self._keys:
            found = self._turn(0, start)
        else:
            for ahead in range(self._choice.prefetch_depth):
                self._ask_for(ahead * self._keys)
            found = code.carried_range(0, bound, start, self._prefetching_turn, self._keys)
        for column, query in enumerate(self._unpacked(found)):
            self._finish(column, query)

    def _seen(self) -> Index:
        """Return how many keys some query of the sub-group sees."""
        total = self._kernel.shape[self._kernel.key]
        # What a mask hides is nothing to a softmax; otherwise it is what the stages make of it.
        beyond = seen_keys(self._kernel) if self._kernel.softmax else None
        if beyond is None:
            return total
        unseen = code.add(self._query, self._choice.queries - 1 + beyond)
        return code.minimum(code.maximum(unseen, 0), total)

    def _unpacked(self, values: Sequence[ir.Value]) -> list[Query]:
        known = len(values) // self._columns - self._blocks
        size = known + self._blocks
        parts = [values[i * size : (i + 1) * size] for i in range(self._columns)]
        return [Query(tuple(p[:known]), tuple(p[known:])) for p in parts]

    def _prefetching_turn(self, key: Index, carried: Sequence[ir.Value]) -> list[ir.Value]:
        """Go on to some more keys, and ask for those of a later turn."""
        self._ask_for(code.add(key, self._choice.prefetch_depth * self._keys))
        return self._turn(key, carried)

    def _turn(self, key: Index, carried: Sequence[ir.Value]) -> list[ir.Value]:
        """Go on to some more keys."""
        scores = self._products(key)
        made = [
            self._weights(key, column, [row[column] for row in scores], query)
            for column, query in enumerate(self._unpacked(carried))
        ]
        sums = [list(query.sums) for query, _ in made]
        for number, at in enumerate(range(0, self._keys, DEPTH)):
            values = self._values.at(self._feature, code.add(key, at), self._blocks)
            for column, (_, weights) in enumerate(made):
                for block, value in enumerate(values):
                    sums[column][block] = multiply(value, weights[number], sums[column][block])
        found: list[ir.Value] = []
        for (query, _), total in zip(made, sums, strict=True):
            found += [*query.known, *total]
        return found

    def _products(self, key: Index) -> list[list[ir.Value]]:
        """Return the scores: for each 8 keys and 16 queries, the lane's vector."""
        rows, columns = self._keys // ROWS, self._columns
        size = self._kernel.depth_size
        zero = [code.zeros(ROWS, ir.F32Type.get())] * (rows * columns)

        def step(depth: Index, sums: Sequence[ir.Value]) -> list[ir.Value]:
            left = self._left.at(key, depth, rows)
            known = isinstance(depth, int) and depth in self._held
            right = self._held[depth] if known else self._right.at(self._query, depth, columns)
            return [
                multiply(left[i // columns], right[i % columns], value)
                for i, value in enumerate(sums)
            ]

        if size > _UNROLLED_DEPTH * DEPTH and not self._held:
            found = list(code.carried_range(0, size, zero, step, DEPTH))
        else:
            found = zero
            for depth in range(0, size, DEPTH):
                found = step(depth, found)
        return [found[i * columns : (i + 1) * columns] for i in range(rows)]

    def _query_of(self, column: int) -> Index:
        return code.add(self._query, column * LANES, self._lane)

    def _weights(
        self, key: Index, column: int, scores: Sequence[ir.Value], before: Query
    ) -> tuple[Query, list[ir.Value]]:
        """Return what is known of a query with these scores, and what multiplies values."""
        kernel = self._kernel
        query = code.minimum(self._query_of(column), kernel.shape[kernel.query] - 1)
        point = {**self._batch, kernel.query: query}
        staged = [
            self._scores.emit(value, {**point, kernel.key: code.add(key, i * ROWS)})
            for i, value in enumerate(scores)
        ]
        after, weights = self._weighing.turn(staged, before)
        return after, self._narrowed(weights)

    def _narrowed(self, weights: Sequence[ir.Value]) -> list[ir.Value]:
        """Return weights as blocks of a right factor."""
        kind = ir.VectorType.get([ROWS], self._kernel.value_factor.element)
        narrow = [arith.truncf(kind, w) for w in weights]
        return [
            code.shuffle(narrow[i], narrow[i + 1], list(range(2 * ROWS)))
            for i in range(0, len(narrow), 2)
        ]

    def _finish(self, column: int, query: Query) -> None:
        """Put the results where they belong."""
        point = {**self._batch, self._kernel.query: self._query_of(column)}
        store_features(
            self._kernel, self._arguments, self._weighing.results(query), point, self._feature
        )
