"""A block's results: sums over totals, and where they belong.

Flows in: sums, features x queries. Flows out: rows of the result, transposed in registers.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch_mlir import ir
from torch_mlir.dialects import arith

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.block import Block
from bellrock.dialects.attention.score_stages import address
from bellrock.dialects.register_transpose import transposed
from bellrock.dialects.vector_code import Index


def store_results(block: Block, point: Mapping[int, Index], left: Index) -> None:
    """Divide by the totals, and store the block's results."""
    kernel = block.kernel
    _guard_totals(block)
    if kernel.result.stride(kernel.feature) == 1 and kernel.result.stride(kernel.query) != 1:
        _store_transposed(block, point, left)
        return
    target = block.arguments[kernel.result.argument]
    step = kernel.result.stride(kernel.query)
    steps = [i * step for i in range(block.lanes)]
    with code.loop(0, kernel.feature_size) as feature:
        for place in block.places:
            value = _narrowed(_quotient(block, feature, place), target)
            query = code.add(point[kernel.query], place)
            where = address(kernel.result, {**point, kernel.query: query, kernel.feature: feature})
            mask = block.mask(left, place)
            if step == 1:
                code.store(value, target, where, mask)
            else:
                code.scatter(value, target, where, steps, mask)


def _guard_totals(block: Block) -> None:
    """Make totals of queries that see no key one, if their results are zero."""
    if not block.kernel.empty_is_zero:
        return
    zero, one = block.splat(0.0), block.splat(1.0)
    for place in block.places:
        total = block.load("total", place)
        empty = arith.cmpf(arith.CmpFPredicate.OEQ, total, zero)
        block.store(arith.select(empty, one, total), "total", place)


def _quotient(block: Block, feature: Index, place: Index) -> ir.Value:
    at = code.add(code.scaled(feature, block.width), place)
    return arith.divf(block.load("sums", at), block.load("total", place))


def _store_transposed(block: Block, point: Mapping[int, Index], left: Index) -> None:
    """Store rows of features, from transposed squares of features and queries."""
    kernel, lanes = block.kernel, block.lanes
    target = block.arguments[kernel.result.argument]

    def square(place: Index, feature: Index, count: int) -> None:
        rows = [_quotient(block, code.add(feature, i), place) for i in range(lanes)]
        for lane, value in enumerate(transposed(rows)):
            query = code.add(point[kernel.query], place, lane)
            where = address(kernel.result, {**point, kernel.query: query, kernel.feature: feature})
            there: Index = count
            if not block.whole:
                inside = code.subtract(left, code.add(place, lane))
                none = arith.cmpi(arith.CmpIPredicate.sle, code.as_value(inside), code.as_value(0))
                there = arith.select(none, code.as_value(0), code.as_value(count))
            code.store(_narrowed(value, target), target, where, code.prefix_mask(lanes, there))

    with code.loop(0, block.width, lanes) as place:
        full = kernel.feature_size // lanes * lanes
        if full:
            with code.loop(0, full, lanes) as feature:
                square(place, feature, lanes)
        if full < kernel.feature_size:
            square(place, full, kernel.feature_size - full)


def _narrowed(value: ir.Value, target: ir.Value) -> ir.Value:
    """Return results in the type of the buffer that they go into."""
    element = ir.MemRefType(target.type).element_type
    if element == ir.VectorType(value.type).element_type:
        return value
    return arith.truncf(ir.VectorType.get(ir.VectorType(value.type).shape, element), value)
