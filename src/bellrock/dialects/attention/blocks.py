"""The loops of an attention over blocks of queries and, inside, of keys.

Flows in: an `AttentionKernel`, its choice, the new function's buffers. Flows out: `scf` loops with
vector code in them, at the insertion point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, scf

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.block import Block, Choice
from bellrock.dialects.attention.packing import Matrix, Scalars, place_queries, scalars_of
from bellrock.dialects.attention.reading import AttentionKernel
from bellrock.dialects.attention.results import store_results
from bellrock.dialects.attention.score_stages import seen_keys
from bellrock.dialects.attention.softmax import Softmax
from bellrock.dialects.contraction.product import Product
from bellrock.dialects.vector_code import Index


@dataclass(slots=True)
class Blocks:
    """Emits one kernel."""

    kernel: AttentionKernel
    choice: Choice
    arguments: list[ir.Value]

    def emit(self) -> None:
        """Emit the loop over blocks of queries."""
        kernel = self.kernel
        total = kernel.shape[kernel.query]
        width = self.choice.lanes * self.choice.vectors
        outer = [d for d in range(len(kernel.shape)) if d not in (kernel.query, kernel.key)]
        sizes = [*(kernel.shape[d] for d in outer), -(-total // width)]
        with code.space(sizes, parallel=self.choice.parallel) as numbers:
            point = dict(zip(outer, numbers, strict=False))
            # Late blocks of a causal mask are the longest: they come first.
            number = code.subtract(sizes[-1] - 1, numbers[-1])
            point[kernel.query] = code.scaled(number, width)
            left = code.subtract(total, point[kernel.query])
            block = Block(kernel, self.choice, self.arguments)
            QueryBlock(block, point, left).emit()


@dataclass(frozen=True, slots=True)
class QueryBlock:
    """Emits one block of queries."""

    block: Block
    point: Mapping[int, Index]
    """Of its first query."""
    left: Index
    """Queries from there on."""

    def emit(self) -> None:
        """Emit its queries, its loop over keys, and its results."""
        block = self.block
        self._allocate()
        place_queries(block, self._queries(), self.point, self.left)
        zero = block.splat(0.0)
        for place in block.places:
            block.store(block.splat(-math.inf), "maximum", place)
            block.store(zero, "total", place)
        with code.loop(0, self._padded_features * block.width, block.lanes) as at:
            block.store(zero, "sums", at)
        self._all_keys()
        store_results(block, self.point, self.left)

    @property
    def _padded_features(self) -> int:
        """Features in whole vectors: results are transposed by squares."""
        return -(-self.block.kernel.feature_size // self.block.lanes) * self.block.lanes

    def _allocate(self) -> None:
        block = self.block
        queries = self._queries()
        block.allocate("queries", queries.units * block.width)
        block.allocate("scores", block.block_keys * block.width)
        block.allocate("sums", self._padded_features * block.width)
        block.allocate("maximum", block.width)
        block.allocate("total", block.width)
        for matrix in (self._keys(block.block_keys), self._values(block.block_keys)):
            if matrix.copied:
                block.allocate(matrix.name, matrix.elements)

    def _queries(self) -> Matrix:
        block, kernel = self.block, self.block.kernel
        return Matrix(
            name="queries", operand=kernel.queries, factor=kernel.query_factor,
            product=block.score_product, row=kernel.query, rows=block.width,
            depth=kernel.depth, size=kernel.depth_size,
        )  # fmt: skip

    def _keys(self, count: int) -> Matrix:
        block, kernel = self.block, self.block.kernel
        return Matrix(
            name="keys", operand=kernel.keys, factor=kernel.key_factor,
            product=block.score_product, row=kernel.key, rows=count,
            depth=kernel.depth, size=kernel.depth_size,
        )  # fmt: skip

    def _values(self, count: int) -> Matrix:
        block, kernel = self.block, self.block.kernel
        return Matrix(
            name="values", operand=kernel.values, factor=kernel.value_factor,
            product=block.sum_product, row=kernel.feature, rows=kernel.feature_size,
            depth=kernel.key, size=count,
        )  # fmt: skip

    def _all_keys(self) -> None:
        """Emit the loop over blocks of keys that some query sees."""
        kernel, size = self.block.kernel, self.block.block_keys
        total = kernel.shape[kernel.key]
        whole, rest = divmod(total, size)
        beyond = seen_keys(kernel)
        bound: Index = total
        if beyond is not None:
            first_unseen = code.add(self.point[kernel.query], self.block.width - 1 + beyond)
            low = arith.maxsi(code.as_value(first_unseen), code.as_value(0))
            bound = code.minimum(low, total)
        if whole:
            blocks = code.ceil_quotient(code.minimum(bound, whole * size), size)
            with code.loop(0, blocks) as number:
                self._key_block(code.scaled(number, size), size)
        if rest:
            start = whole * size
            if isinstance(bound, int):
                self._key_block(start, rest)
                return
            seen = arith.cmpi(arith.CmpIPredicate.sgt, bound, code.as_value(start))
            branch = scf.IfOp(seen)
            with ir.InsertionPoint(branch.then_block):
                self._key_block(start, rest)
                scf.YieldOp([])

    def _key_block(self, start: Index, count: int) -> None:
        """Emit one block of keys."""
        block = self.block
        point = {**self.point, block.kernel.key: start}
        keys = scalars_of(block, self._keys(count), point)
        units = self._queries().units
        self._tiles(count, lambda row, rows: self._score_tile(keys, units, row, rows))
        scale = Softmax(block, point, self.left, count).emit()
        matrix = self._values(count)
        values = scalars_of(
            block, matrix, {k: at for k, at in point.items() if k != block.kernel.query}
        )
        self._tiles(
            block.kernel.feature_size,
            lambda row, rows: self._sum_tile(values, matrix.units, row, rows, scale),
        )

    def _tiles(self, count: int, emit: Callable[[Index, int], None]) -> None:
        """Emit register tiles for all rows: a loop of full ones, and the rest."""
        rows = self.block.choice.rows
        full = count // rows * rows
        if full:
            with code.loop(0, full, rows) as row:
                emit(row, rows)
        if count - full:
            emit(full, count - full)

    def _score_tile(self, keys: Scalars, units: int, row: Index, rows: int) -> None:
        """Multiply some keys by the block's queries."""
        block = self.block
        sums = [block.splat(0.0)] * (rows * len(block.places))
        found = self._summed("queries", keys, block.score_product, units, row, rows, sums)
        for at, value in zip(self._tile_places(row, rows), found, strict=True):
            block.store(value, "scores", at)

    def _sum_tile(
        self, values: Scalars, units: int, row: Index, rows: int, scale: list[ir.Value]
    ) -> None:
        """Add some features of the values, times the exponentials, to the sums."""
        block = self.block
        places = self._tile_places(row, rows)
        sums = [
            arith.mulf(block.load("sums", at), scale[i % len(scale)]) for i, at in enumerate(places)
        ]
        found = self._summed("scores", values, block.sum_product, units, row, rows, sums)
        for at, value in zip(places, found, strict=True):
            block.store(value, "sums", at)

    def _tile_places(self, row: Index, rows: int) -> list[Index]:
        block = self.block
        return [
            code.add(code.scaled(code.add(row, r), block.width), place)
            for r in range(rows)
            for place in block.places
        ]

    def _summed(
        self, name: str, scalars: Scalars, product: Product, units: int, row: Index, rows: int,
        sums: list[ir.Value],
    ) -> Sequence[ir.Value]:  # fmt: skip
        """Return sums[r, v] + the sum over units of scalars[row + r] * vectors[v]."""
        block = self.block
        base = code.add(scalars.base, code.scaled(row, scalars.row_step))

        def step(unit: Index, sums: Sequence[ir.Value]) -> list[ir.Value]:
            at = code.add(base, code.scaled(unit, scalars.unit_step))
            line = code.scaled(unit, block.width)
            vectors = [block.load(name, code.add(line, place)) for place in block.places]
            result: list[ir.Value] = []
            for r in range(rows):
                place = code.as_value(code.add(at, r * scalars.row_step))
                factor = code.broadcast(memref.load(scalars.buffer, [place]), block.lanes)
                for v, value in enumerate(vectors):
                    total = sums[r * len(vectors) + v]
                    result.append(product.multiply_add(factor, value, total))
            return result

        return code.carried_loop(units, 1, sums, step)
