"""`transform.bellrock.split_updates`: what a reduction combines becomes an op of its own.

Upstream's elementwise fusion puts the maker of an operand into a reduction's body. Two kinds
of reductions are worse for it. A pooling that computes what it reads does so again where windows
overlap, and no strategy for poolings knows it. A sum of gathered elements (a loss) is a chain
of scalar loads on one core: alone, the gathering is parallel, and may share a kernel with
what makes the rows that it reads from.

Rewrite:
    %r = linalg.generic (i, j, window reduces) ins(%x, %s) { max(%c, x(i + w, j) / s(i + w)) }
  ->
    %q = linalg.generic (i, j) ins(%x, %s) { x(i, j) / s(i) }
    %r = linalg.generic (i, j, window reduces) ins(%q) { max(%c, q(i + w, j)) }

Leaves alone: updates that are an operand as it is; reads of which no operand is as large as the
new op's result, which would be more to write than there is to read.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import defining_op, init_index, iterators
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.split_products import behind_widening, cloned, leaves_of
from bellrock.dialects.split_reductions import update_of

_GATHER = "tensor.extract"
_INDEX = "linalg.index"


@edits_in_place(lambda op: _split_all(op))
class SplitUpdatesOp(Bellrock.Operation, name="split_updates"):
    """Split the windowed and the gathering reductions below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


@dataclass(frozen=True, slots=True)
class _Update:
    """What one reduction combines."""

    value: ir.Value
    used: tuple[int, ...]
    """Operands that it is computed from."""
    makers: tuple[ir.Operation, ...]
    """Ops of the body that compute it."""


def _split_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        update = _update(op)
        if update is None:
            continue
        places = _window_places(op, update) or _gather_places(op, update)
        if places is not None:
            with ir.InsertionPoint(op), op.location:
                _split(op, update, *places)


def _update(op: ir.Operation) -> _Update | None:
    """Return what a reduction of one result combines, if it is computed for that."""
    combined = update_of(op) if "reduction" in iterators(op) else None
    value = None if combined is None else behind_widening(combined)
    block = op.regions[0].blocks[0]
    if value is None or value in list(block.arguments):
        return None
    makers = _makers(value, block)
    if any(len(o.regions) for o in makers):
        return None
    return _Update(value, tuple(leaves_of(value, list(block.arguments))), makers)


def _makers(value: ir.Value, block: ir.Block) -> tuple[ir.Operation, ...]:
    found: list[ir.Operation] = []
    pending = [value]
    while pending:
        made = defining_op(pending.pop())
        if made is not None and made.block == block and made not in found:
            found.append(made)
            pending.extend(made.operands)
    return tuple(found)


def _window_places(
    op: ir.Operation, update: _Update
) -> tuple[list[ir.AffineExpr], list[int]] | None:
    """Return where a windowed reduction reads its image, and the image's sizes.

    Everything else that the update reads has to be read at some of these places.
    """
    if not update.used or any(o.name in (_INDEX, _GATHER) for o in update.makers):
        return None
    maps = maps_of(op)
    image = max(update.used, key=lambda i: len(maps[i].results))
    places = list(maps[image].results)
    if all(isinstance(e, ir.AffineDimExpr | ir.AffineConstantExpr) for e in places):
        return None
    kinds = [op.operands[i].type for i in update.used]
    if not all(isinstance(k, ir.RankedTensorType) and k.has_static_shape for k in kinds):
        return None
    sizes = list(op.operands[image].type.shape)
    for i in update.used:
        for expr, size in zip(maps[i].results, op.operands[i].type.shape, strict=True):
            if places.count(expr) != 1 or sizes[places.index(expr)] != size:
                return None
    every = [_loops_of(e) for e in places]
    covered = set().union(*every)
    told = len(covered) == maps[0].n_dims
    return (places, sizes) if told and math.prod(sizes) <= _iterations(op) else None


def _loops_of(expr: ir.AffineExpr) -> set[int]:
    if isinstance(expr, ir.AffineDimExpr):
        return {expr.position}
    if isinstance(expr, ir.AffineBinaryExpr):
        return _loops_of(expr.lhs) | _loops_of(expr.rhs)
    return set()


def _iterations(op: ir.Operation) -> int:
    return math.prod(loop_sizes(op).values())


def _gather_places(
    op: ir.Operation, update: _Update
) -> tuple[list[ir.AffineExpr], list[int]] | None:
    """Return the loops of a reduction whose update gathers, and their sizes."""
    if not any(o.name == _GATHER for o in update.makers):
        return None
    maps, sizes = maps_of(op), loop_sizes(op)
    loops = range(maps[0].n_dims)
    plain = all(
        isinstance(e, ir.AffineDimExpr | ir.AffineConstantExpr)
        for i in update.used for e in maps[i].results
    )  # fmt: skip
    as_large = any(
        {e.position for e in maps[i].results if isinstance(e, ir.AffineDimExpr)} == set(loops)
        for i in range(init_index(op))
    )
    if not plain or not as_large or set(sizes) != set(loops):
        return None
    return [ir.AffineExpr.get_dim(d) for d in loops], [sizes[d] for d in loops]


def _split(
    op: ir.Operation, update: _Update, places: list[ir.AffineExpr], sizes: list[int]
) -> None:
    made = _computed(op, update, places, sizes)
    maps, first = maps_of(op), init_index(op)
    kept = [i for i in range(first) if i not in update.used]
    access = ir.AffineMap.get(maps[0].n_dims, 0, places)
    inputs = [made, *(op.operands[i] for i in kept)]
    all_maps = [access, *(maps[i] for i in kept), maps[-1]]
    new = linalg.GenericOp(
        [op.results[0].type], inputs, [op.operands[first]],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in all_maps]),
        op.attributes["iterator_types"],
    )  # fmt: skip
    source = op.regions[0].blocks[0]
    types = [v.type.element_type for v in (*inputs, op.operands[first])]
    body = new.regions[0].blocks.append(*types)
    known = {update.value: body.arguments[0], source.arguments[first]: body.arguments[len(inputs)]}
    with ir.InsertionPoint(body):
        total = list(source.operations)[-1].operation.operands[0]
        linalg.YieldOp([cloned(total, known)])
    op.results[0].replace_all_uses_with(new.results[0])
    op.erase()


def _computed(
    op: ir.Operation, update: _Update, places: list[ir.AffineExpr], sizes: list[int]
) -> ir.Value:
    """Compute an update at each of its places."""
    count, maps = len(places), maps_of(op)
    own = [
        ir.AffineMap.get(count, 0, [
            e if isinstance(e, ir.AffineConstantExpr) else ir.AffineExpr.get_dim(places.index(e))
            for e in maps[i].results
        ])
        for i in update.used
    ]  # fmt: skip
    inputs = [op.operands[i] for i in update.used]
    empty = tensor.EmptyOp(sizes, update.value.type).result
    access = [ir.AffineMapAttr.get(m) for m in (*own, ir.AffineMap.get_identity(count))]
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    made = linalg.GenericOp(
        [empty.type],
        inputs,
        [empty],
        ir.ArrayAttr.get(access),
        ir.ArrayAttr.get([parallel] * count),
    )
    types = [getattr(v.type, "element_type", v.type) for v in (*inputs, empty)]
    body = made.regions[0].blocks.append(*types)
    arguments = list(op.regions[0].blocks[0].arguments)
    known = {arguments[i]: a for i, a in zip(update.used, body.arguments, strict=False)}
    with ir.InsertionPoint(body):
        for index in (o for o in update.makers if o.name == _INDEX):
            loop = ir.AffineExpr.get_dim(ir.IntegerAttr(index.attributes["dim"]).value)
            known[index.results[0]] = linalg.IndexOp(places.index(loop)).result
        linalg.YieldOp([cloned(update.value, known)])
    return made.results[0]


OPS = (SplitUpdatesOp,)
"""Transform ops of this file."""
