"""Which loop of a generic on buffers should be innermost.

Flows in: a linalg.generic on memrefs of known strides. Flows out: an order of its loops in
which the innermost is the cheapest to vectorise, by the strides of the operands along it,
and the others keep their places.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.dialects.fold_movement import maps_of

_LANES = 16
"""Elements of a vector that a loop's last, partial vector is measured against."""
_INVARIANT, _CONTIGUOUS, _STRIDED = 0.1, 1.0, 10.0
"""Relative costs of one operand for one vector: kept in a register, one vector access, one
access per lane. Only their order of size matters."""
_READ_AND_WRITTEN = 2.0
"""The output is loaded and stored, unless it is invariant."""


def order_along_memory(op: ir.Operation) -> list[int]:
    """Return an order of the loops whose last is the cheapest innermost loop."""
    maps = maps_of(op)
    count = maps[0].n_dims if maps else 0
    if count < 2:
        return list(range(count))
    strides = [operand_strides(op.operands[i], m) for i, m in enumerate(maps)]
    if any(s is None for s in strides):
        return list(range(count))
    sizes = loop_sizes(op)
    outputs = len(op.operands) - _inputs(op)
    costs = [
        _cost([s[d] for s in strides if s is not None], outputs, sizes.get(d, _LANES))
        for d in range(count)
    ]
    # On a tie the loop that is innermost already stays so.
    best = min(reversed(range(count)), key=lambda d: costs[d])
    return [d for d in range(count) if d != best] + [best]


def _inputs(op: ir.Operation) -> int:
    return next(iter(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"])))


def _cost(strides: list[int], outputs: int, size: int) -> float:
    total = 0.0
    for i, stride in enumerate(strides):
        cost = {0: _INVARIANT, 1: _CONTIGUOUS}.get(stride, _STRIDED)
        written = i >= len(strides) - outputs and stride != 0
        total += cost * (_READ_AND_WRITTEN if written else 1.0)
    vectors = -(-size // _LANES)
    return total * vectors * _LANES / max(size, 1)


def operand_strides(
    operand: ir.Value, access: ir.AffineMap, *, tensors: bool = False
) -> list[int] | None:
    """Return the step in elements that an operand takes along each loop.

    A dynamic stride counts as large. None where the operand is no memref.

    Args:
        operand: of a linalg op.
        access: its map.
        tensors: whether tensors count too; they are taken to be contiguous.
    """
    steps = [0] * access.n_dims
    if not len(access.results):
        return steps
    if not isinstance(operand.type, ir.MemRefType) and not tensors:
        return None
    strides = _strides(operand.type)
    if strides is None:
        return None
    for expr, stride in zip(access.results, strides, strict=True):
        step = abs(stride) if stride != ir.ShapedType.get_dynamic_stride_or_offset() else 1 << 20
        for d, coefficient in coefficients(expr).items():
            steps[d] += coefficient * step
    return steps


def _strides(kind: ir.Type) -> list[int] | None:
    if isinstance(kind, ir.MemRefType):
        return list(kind.get_strides_and_offset()[0])
    if not isinstance(kind, ir.RankedTensorType):
        return None
    strides, step = [], 1
    for size in reversed(kind.shape):
        strides.append(step)
        step *= max(1, size)
    return strides[::-1]


def coefficients(expr: ir.AffineExpr) -> dict[int, int]:
    """Return loop -> factor of a linear expression; other expressions count as constant."""
    if isinstance(expr, ir.AffineDimExpr):
        return {expr.position: 1}
    if isinstance(expr, ir.AffineAddExpr):
        total = coefficients(expr.lhs)
        for d, c in coefficients(expr.rhs).items():
            total[d] = total.get(d, 0) + c
        return total
    if isinstance(expr, ir.AffineMulExpr) and isinstance(expr.rhs, ir.AffineConstantExpr):
        return {d: c * expr.rhs.value for d, c in coefficients(expr.lhs).items()}
    return {}


def loop_sizes(op: ir.Operation) -> dict[int, int]:
    """Return the trip counts that the operands' static shapes tell."""
    sizes: dict[int, int] = {}
    dynamic = ir.ShapedType.get_dynamic_size()
    for i, access in enumerate(maps_of(op)):
        if not len(access.results):
            continue
        shape = ir.ShapedType(op.operands[i].type).shape
        for expr, size in zip(access.results, shape, strict=True):
            if isinstance(expr, ir.AffineDimExpr) and size != dynamic:
                sizes[expr.position] = size
    return sizes
