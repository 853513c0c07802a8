"""`transform.bellrock.short_rows`: a row that is shorter than a vector is one vector all the same.

Missing upstream at this level: `structured.vectorize` takes an op as a whole, and loops of a few
iterations LLVM unrolls before it looks for vectors, which it then does not find. So a row of a
panel of weights (8 channels), or a filter of few taps read backwards, went element by element.

Rewrite:
    linalg.generic (d0, d1) -> x(d0, d1), s(d0), y(d0, d1) ins(%x, %s: 50x8, 50) { mulf }
  ->
    scf.for %i { %v = vector.load %x[%i, 0] : vector<8xf32>; %b = vector.broadcast (load %s[%i])
                 vector.store (mulf %v, %b), %y[%i, 0] }

Needs: buffers of f32; parallel loops, the last of a few iterations, along which each operand
goes forwards or backwards by single elements, or not at all; one result, by arithmetic that
vectors know.
"""

# No postponed annotations here: the dialect reads the field types from them.
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import affine, arith, ext, memref, transform, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.chunks import constant
from bellrock.dialects.extension import Bellrock, each_op, edits_in_place
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import iterators
from bellrock.dialects.loop_order import coefficients, loop_sizes

SHORTEST, LONGEST = 3, 15
"""Elements of a row: longer ones LLVM vectorises, shorter ones are no gain."""
_PLAIN = {"arith.addf", "arith.subf", "arith.mulf", "arith.divf", "arith.negf", "linalg.yield"}
_DYNAMIC = ir.ShapedType.get_dynamic_stride_or_offset()


@edits_in_place(lambda op: each_op(op, "linalg.generic", _rewrite))
class ShortRowsOp(Bellrock.Operation, name="short_rows"):
    """Vectorise the generics with short rows below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


@dataclass(frozen=True, slots=True)
class _Row:
    """How an operand is walked: its step along the innermost loop is 1, -1 or 0."""

    buffer: ir.Value
    access: ir.AffineMap
    step: int


def _rewrite(op: ir.Operation) -> None:
    sizes = loop_sizes(op)
    rank = maps_of(op)[0].n_dims if maps_of(op) else 0
    if len(op.results) or rank < 1 or len(sizes) < rank or "reduction" in iterators(op):
        return
    length = sizes[rank - 1]
    rows = [_row(v, m, rank - 1) for v, m in zip(op.operands, maps_of(op), strict=True)]
    known = [row for row in rows if row is not None]
    body = [o.operation for o in op.regions[0].blocks[0].operations]
    plain = len(known) == len(rows) and all(o.name in _PLAIN for o in body)
    plain = plain and len(body[-1].operands) == 1
    if not SHORTEST <= length <= LONGEST or not plain or known[-1].step != 1:
        return
    _emit(op, known, [sizes[d] for d in range(rank - 1)], length)
    op.erase()


def _row(value: ir.Value, access: ir.AffineMap, inner: int) -> _Row | None:
    """Return how an operand is walked; None where that is in another way."""
    kind = value.type
    if not isinstance(kind, ir.MemRefType) or not isinstance(kind.element_type, ir.F32Type):
        return None
    strides, _ = kind.get_strides_and_offset()
    along = [coefficients(e).get(inner, 0) for e in access.results]
    if not any(along):
        return _Row(value, access, 0)
    # A vector runs along the last dimension of its buffer, and no other may move with it.
    last = access.results[len(along) - 1]
    plain = isinstance(last, ir.AffineDimExpr) or strides[-1] == 1
    if any(along[:-1]) or along[-1] != 1 or strides[-1] not in (1, -1) or not plain:
        return None
    # `vector.load` takes buffers whose other steps go forwards only.
    forwards = _DYNAMIC not in strides and all(s >= 0 for s in strides[:-1])
    whole = kind.has_static_shape and forwards
    return _Row(value, access, strides[-1]) if whole else None


def _emit(op: ir.Operation, rows: list[_Row], outer: list[int], length: int) -> None:
    seen = [_forwards(row, length) if row.step < 0 else row.buffer for row in rows]
    kind = ir.VectorType.get([length], ir.F32Type.get())
    block = op.regions[0].blocks[0]
    with code.space(outer, parallel=False) as point:
        places = [*map(code.as_value, point), constant(0)]
        values: dict[ir.Value, ir.Value] = {}
        indices: list[ir.Value] = []
        for row, buffer, argument in zip(rows, seen, block.arguments, strict=True):
            indices = [_place(e, row.access.n_dims, places) for e in row.access.results]
            if len(list(argument.uses)):
                values[argument] = _loaded(row, buffer, indices, kind)
        for inner in list(block.operations)[:-1]:
            _clone(inner.operation, kind, values)
        (result,) = list(block.operations)[-1].operation.operands
        vector.store(_widened(result, kind, values), seen[-1], indices)


def _place(expr: ir.AffineExpr, dims: int, places: Sequence[ir.Value]) -> ir.Value:
    return affine.AffineApplyOp(ir.AffineMap.get(dims, 0, [expr]), list(places)).result


def _forwards(row: _Row, length: int) -> ir.Value:
    """Return a buffer that is walked backwards, seen from its other end."""
    kind = ir.MemRefType(row.buffer.type)
    strides, offset = kind.get_strides_and_offset()
    parts = memref.ExtractStridedMetadataOp(row.buffer)
    known = offset != _DYNAMIC
    static = offset - (length - 1) if known else _DYNAMIC
    moved = [] if known else [arith.subi(parts.results[1], constant(length - 1))]
    shape, steps = list(kind.shape), [*strides[:-1], 1]
    layout = ir.StridedLayoutAttr.get(static, steps)
    result = ir.MemRefType.get(shape, kind.element_type, layout, kind.memory_space)
    return memref.ReinterpretCastOp(
        result, parts.results[0], moved, [], [], [static], shape, steps
    ).result


def _loaded(
    row: _Row, buffer: ir.Value, indices: Sequence[ir.Value], kind: ir.VectorType
) -> ir.Value:
    if row.step == 0:
        return vector.broadcast(kind, memref.load(buffer, list(indices)))
    value = vector.load(kind, buffer, list(indices))
    return value if row.step > 0 else code.shuffle(value, value, range(kind.shape[0] - 1, -1, -1))


def _clone(op: ir.Operation, kind: ir.VectorType, values: dict[ir.Value, ir.Value]) -> None:
    """Make an op of the body again, on vectors."""
    given = {name: op.attributes[name] for name in op.attributes}
    made = ir.Operation.create(
        op.name, results=[kind], operands=[_widened(v, kind, values) for v in op.operands],
        attributes=given,
    )  # fmt: skip
    values[op.results[0]] = made.results[0]


def _widened(value: ir.Value, kind: ir.VectorType, values: dict[ir.Value, ir.Value]) -> ir.Value:
    """Return a value of the body as a vector; what is known around it is the same in all lanes."""
    if value not in values:
        values[value] = vector.broadcast(kind, value)
    return values[value]


OPS = (ShortRowsOp,)
