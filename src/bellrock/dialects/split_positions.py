"""`transform.bellrock.split_positions`: the position of an extremum of a long row, piece by piece.

An arg-max of a million elements is one chain on one core. Its pieces are rows, which cores share;
the first piece that has the extremum of all holds the position.

Rewrite, with 6 pieces of 1000:
    %m, %p = linalg.generic (i reduces) ins(%x: 6000) outs(-inf, 0) { maximumf; select index }
  ->
    %y = tensor.expand_shape %x: 6x1000
    %n, %q = linalg.generic (o, i reduces) ins(%y) outs(-inf: 6, 0: 6) { the same }
    %m, %k = linalg.generic (o reduces) ins(%n) outs(-inf, 0) { the same }
    %p = linalg.generic ins(%k) { %k * 1000 + tensor.extract %q[%k] }

Leaves alone: rows enough for all cores, and lengths without a factor near their root.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import defining_op, iterators
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.split_extrema import position_loop
from bellrock.dialects.split_reductions import copy_body, iterator_types

LONGEST = 1 << 16
"""Elements from which on a row is long."""
FEWEST = 64
"""Pieces at the least."""


@edits_in_place(lambda op, **given: _split_all(op, **given), options=("fewest_rows",))
class SplitPositionsOp(Bellrock.Operation, name="split_positions"):
    """Split the arg-max and arg-min reductions of few long rows below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]
    fewest_rows: ir.IntegerAttr
    """From so many rows on there is one for each core."""


def _split_all(root: ir.Operation, *, fewest_rows: int) -> None:
    for op in ops_named(root, "linalg.generic"):
        loop = position_loop(op)
        sizes = loop_sizes(op)
        starts = [defining_op(v) for v in list(op.operands)[1:]]
        if loop is None or len(sizes) < len(iterators(op)) or sizes[loop] < LONGEST:
            continue
        rows = math.prod(sizes.values()) // sizes[loop]
        pieces = _pieces(sizes[loop])
        fills = all(s is not None and s.name == "linalg.fill" for s in starts)
        if rows < fewest_rows and pieces is not None and fills and _reads_once(op, loop):
            with ir.InsertionPoint(op), op.location:
                _split(op, loop, pieces, sizes[loop] // pieces)


def _pieces(length: int) -> int | None:
    """Return the number of pieces, a factor of the length that is at most its root."""
    return next((n for n in range(math.isqrt(length), FEWEST - 1, -1) if length % n == 0), None)


def _reads_once(op: ir.Operation, loop: int) -> bool:
    read, kept, _ = maps_of(op)
    plain = all(isinstance(e, ir.AffineDimExpr) for m in (read, kept) for e in m.results)
    return plain and [ir.AffineDimExpr(e).position for e in read.results].count(loop) == 1


def _split(op: ir.Operation, loop: int, pieces: int, length: int) -> None:
    values, places = _partial(op, loop, pieces, length)
    best = _combined(op, values)
    position = _position(best[1], places, length)
    op.results[0].replace_all_uses_with(best[0])
    op.results[1].replace_all_uses_with(position)
    op.erase()


def _partial(op: ir.Operation, loop: int, pieces: int, length: int) -> Sequence[ir.Value]:
    """Find the extremum of each piece, and its position there; pieces are the last dimension."""
    read, kept, _ = maps_of(op)
    count = read.n_dims + 1
    moved = [ir.AffineExpr.get_dim(d + (d >= loop)) for d in range(read.n_dims)]
    piece = ir.AffineExpr.get_dim(loop)
    dims = [ir.AffineDimExpr(e).position for e in read.results]
    groups, exprs = [], []
    for d in dims:
        own = [piece, moved[d]] if d == loop else [moved[d]]
        groups.append(list(range(len(exprs), len(exprs) + len(own))))
        exprs += own
    kind = ir.RankedTensorType(op.operands[0].type)
    at = dims.index(loop)
    shape = [*kind.shape[:at], pieces, length, *kind.shape[at + 1 :]]
    source = tensor.ExpandShapeOp(
        ir.RankedTensorType.get(shape, kind.element_type), op.operands[0], groups, [], shape
    ).result
    out = [*(moved[ir.AffineDimExpr(e).position] for e in kept.results), piece]
    kinds = iterators(op)
    kinds.insert(loop, "parallel")
    starts = [_filled_like(v, [*v.type.shape, pieces]) for v in list(op.operands)[1:]]
    maps = [ir.AffineMap.get(count, 0, each) for each in (exprs, out, out)]
    return _like(op, [source], starts, maps, kinds, loop + 1)


def _filled_like(value: ir.Value, shape: list[int]) -> ir.Value:
    start = defining_op(value)
    assert start is not None
    empty = tensor.EmptyOp(shape, ir.RankedTensorType(value.type).element_type).result
    return linalg.fill(start.operands[0], outs=[empty])


def _combined(op: ir.Operation, values: ir.Value) -> Sequence[ir.Value]:
    """Find the extremum of all pieces, and the first piece that has it."""
    rank = ir.RankedTensorType(values.type).rank
    dims = [ir.AffineExpr.get_dim(d) for d in range(rank)]
    maps = [ir.AffineMap.get(rank, 0, each) for each in (dims, dims[:-1], dims[:-1])]
    kinds = [*["parallel"] * (rank - 1), "reduction"]
    return _like(op, [values], list(op.operands)[1:], maps, kinds, rank - 1)


def _like(
    op: ir.Operation, inputs: list[ir.Value], starts: list[ir.Value], maps: list[ir.AffineMap],
    kinds: list[str], loop: int,
) -> Sequence[ir.Value]:  # fmt: skip
    """Make an op of the same body over other loops; `loop` is the one whose index it takes."""
    made = linalg.GenericOp(
        [v.type for v in starts], inputs, starts,
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]), iterator_types(kinds),
    )  # fmt: skip
    copy_body(op, made.operation)
    (index,) = ops_named(made.operation, "linalg.index")
    index.attributes["dim"] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), loop)
    return list(made.results)


def _position(piece: ir.Value, places: ir.Value, length: int) -> ir.Value:
    kind = ir.RankedTensorType(piece.type)
    identity = ir.AffineMapAttr.get(ir.AffineMap.get_identity(kind.rank))
    empty = tensor.EmptyOp(list(kind.shape), kind.element_type).result
    made = linalg.GenericOp(
        [kind], [piece], [empty], ir.ArrayAttr.get([identity, identity]),
        iterator_types(["parallel"] * kind.rank),
    )  # fmt: skip
    body = made.regions[0].blocks.append(kind.element_type, kind.element_type)
    with ir.InsertionPoint(body):
        number = body.arguments[0]
        at = [linalg.IndexOp(d).result for d in range(kind.rank)]
        at.append(arith.IndexCastOp(ir.IndexType.get(), number).result)
        inside = tensor.ExtractOp(places, at).result
        before = arith.MulIOp(number, arith.ConstantOp(kind.element_type, length).result).result
        linalg.YieldOp([arith.AddIOp(before, inside).result])
    return made.results[0]


OPS = (SplitPositionsOp,)
"""Transform ops of this file."""
