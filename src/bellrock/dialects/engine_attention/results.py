"""Where the results of an attention go: a lane has 8 features of its query in each vector.

Flows in: vectors in f32, the query and its batch. Flows out: stores of what is in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, scf, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.reading import AttentionKernel
from bellrock.dialects.convolution.operands import address
from bellrock.dialects.matrix_engine.block_io import ROWS
from bellrock.dialects.vector_code import Index


def store_features(
    kernel: AttentionKernel,
    arguments: Sequence[ir.Value],
    results: Sequence[ir.Value],
    point: Mapping[int, Index],
    feature: Index,
) -> None:
    """Store a query's results, if there is such a query.

    Args:
        kernel: whose they are.
        arguments: the new function's buffers.
        results: for each 8 features a vector.
        point: the batch and the query.
        feature: the first.
    """
    buffer = arguments[kernel.result.argument]
    element = ir.MemRefType(buffer.type).element_type
    kind = ir.VectorType.get([ROWS], element)
    step, size = kernel.result.stride(kernel.feature), kernel.feature_size
    start = address(kernel.result, point)

    def store() -> None:
        for i, result in enumerate(results):
            value = result if element == ir.F32Type.get() else arith.truncf(kind, result)
            first = code.add(feature, i * ROWS)
            place = code.add(start, code.scaled(first, step))
            if step == 1 and size % ROWS == 0:
                when(first, size, lambda v=value, p=place: _store_vector(v, buffer, p))
                continue
            for e in range(ROWS):
                one = vector.extract(value, [], [e])
                at = code.as_value(code.add(place, e * step))
                when(code.add(first, e), size, lambda v=one, p=at: memref.store(v, buffer, [p]))

    when(point[kernel.query], kernel.shape[kernel.query], store)


def _store_vector(value: ir.Value, buffer: ir.Value, place: Index) -> None:
    vector.store(value, buffer, [code.as_value(place)])


def when(index: Index, bound: int, emit: Callable[[], object]) -> None:
    """Emit what is done for an index below a bound only."""
    if isinstance(index, int):
        if index < bound:
            emit()
        return
    op = scf.IfOp(code.below(index, bound))
    with ir.InsertionPoint(op.then_block):
        emit()
        scf.YieldOp([])
