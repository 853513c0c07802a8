"""The running softmax of a block of queries, over one block of keys after another.

Flows in: the scores of a block of keys. Flows out: their exponentials, less the largest score so
far, in the scores' place; and what earlier sums have to be scaled by where that one grew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith
from torch_mlir.dialects import math as math_dialect

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.block import Block
from bellrock.dialects.attention.packing import joined
from bellrock.dialects.attention.score_stages import ScoreStages
from bellrock.dialects.vector_code import Index


@dataclass(frozen=True, slots=True)
class Softmax:
    """Emits the softmax of a block."""

    block: Block
    point: Mapping[int, Index]
    """Of the block's first query and first key."""
    left: Index
    """Queries of the block that there are."""
    count: int
    """Keys of the block."""

    def emit(self) -> list[ir.Value]:
        """Turn scores into exponentials; returns what earlier sums have to be scaled by."""
        block = self.block
        old = [block.load("maximum", place) for place in block.places]
        new = code.carried_loop(self.count, 1, old, self._peaks)
        infinite = block.splat(-math.inf)
        # Where no key was seen yet, exponentials are of minus infinity less zero.
        unseen = [arith.cmpf(arith.CmpFPredicate.OEQ, n, infinite) for n in new]
        shift = [arith.select(u, block.splat(0.0), n) for u, n in zip(unseen, new, strict=True)]
        scale = [math_dialect.exp(arith.subf(o, s)) for o, s in zip(old, shift, strict=True)]
        totals = [
            arith.mulf(block.load("total", place), s)
            for place, s in zip(block.places, scale, strict=True)
        ]
        summed = self._all_exponentials(shift, totals)
        for place, n, total in zip(block.places, new, summed, strict=True):
            block.store(n, "maximum", place)
            block.store(total, "total", place)
        return scale

    def _all_exponentials(
        self, shift: list[ir.Value], totals: Sequence[ir.Value]
    ) -> Sequence[ir.Value]:
        """Go over units of keys; the last may lack a key, which then counts as zero."""
        depth = self.block.sum_product.depth
        whole = self.count // depth
        if whole:
            totals = code.carried_loop(
                whole, 1, totals, lambda unit, t: self._exponentials(unit, depth, shift, t)
            )
        rest = self.count - whole * depth
        return self._exponentials(whole, rest, shift, totals) if rest else totals

    def _exponentials(
        self, unit: Index, there: int, shift: list[ir.Value], totals: Sequence[ir.Value]
    ) -> list[ir.Value]:
        block, product = self.block, self.block.sum_product
        narrow = ir.VectorType.get([block.lanes], ir.BF16Type.get())
        found: list[ir.Value] = []
        for place, s, total in zip(block.places, shift, totals, strict=True):
            parts: list[ir.Value] = []
            for i in range(there):
                row = code.add(code.scaled(unit, product.depth), i)
                at = code.add(code.scaled(row, block.width), place)
                value = math_dialect.exp(arith.subf(block.load("scores", at), s))
                total = arith.addf(total, value)
                parts.append(arith.truncf(narrow, value) if product.pairs else value)
            if product.pairs and there == 1:
                parts.append(code.zeros(block.lanes, narrow.element_type))
            # Units lie where the scores of earlier keys were: those have been read.
            at = code.add(code.scaled(unit, block.width), place)
            block.store(joined(parts, product), "scores", at)
            found.append(total)
        return found

    def _peaks(self, row: Index, peaks: Sequence[ir.Value]) -> list[ir.Value]:
        """Apply the stages to one key's scores, and return the maxima with them."""
        block, kernel = self.block, self.block.kernel
        stages = ScoreStages(kernel, block.arguments, block.lanes)
        found: list[ir.Value] = []
        for place, peak in zip(block.places, peaks, strict=True):
            at = code.add(code.scaled(row, block.width), place)
            here = {
                **self.point,
                kernel.key: code.add(self.point[kernel.key], row),
                kernel.query: code.add(self.point[kernel.query], place),
            }
            value = block.load("scores", at)
            if kernel.stages:
                value = stages.emit(value, here, block.inside(self.left, place))
                value = code.widened(value, ir.F32Type.get())
                block.store(value, "scores", at)
            # A NaN is not kept here, but its exponential is.
            larger = arith.cmpf(arith.CmpFPredicate.OGT, value, peak)
            found.append(arith.select(larger, value, peak))
        return found
