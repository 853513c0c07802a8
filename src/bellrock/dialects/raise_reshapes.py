"""`transform.bellrock.raise_reshapes`: see what a cheap op reads in another shape, not its result.

Upstream's elementwise fusion moves a reshape above the op that makes its operand if nothing
else reads that. In a group norm the centred row is squared and summed as it is, and
scaled in the shape of an image: it would be kept in memory between the two.

Rewrite:
    %d = generic (g, i) -> x(g, i), m(g) { subf }
    %e = tensor.expand_shape %d [[0], [1, 2]]
  ->
    %d = generic (g, i) -> x(g, i), m(g) { subf }                 // for its other readers
    %y = tensor.expand_shape %x [[0], [1, 2]]
    %e = generic (g, h, w) -> y(g, h, w), m(g) { subf }

Needs: an elementwise op with an identity output that reads no indices; one that costs no more
than memory does, unless nothing else reads it.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, each_op, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import defining_op, init_index, is_elementwise
from bellrock.dialects.inline_producers import CHEAP, cost_of


@edits_in_place(lambda op: _raise_all(op))
class RaiseReshapesOp(Bellrock.Operation, name="raise_reshapes"):
    """Raise the expanding reshapes below the handle's ops above cheap elementwise ops."""

    target: ext.Operand[transform.AnyOpType]


def _raise_all(root: ir.Operation) -> None:
    each_op(root, "tensor.expand_shape", _raise)


def _raise(reshape: ir.Operation) -> None:
    maker = defining_op(reshape.operands[0])
    if maker is None or not ir.RankedTensorType(reshape.results[0].type).has_static_shape:
        return
    groups = [[ir.IntegerAttr(i).value for i in ir.ArrayAttr(g)]
              for g in ir.ArrayAttr(reshape.attributes["reassociation"])]  # fmt: skip
    if not _can_be_made_again(maker):
        return
    shape = list(ir.RankedTensorType(reshape.results[0].type).shape)
    maps = maps_of(maker)
    inputs = [
        expanded(v, m, groups, shape) for v, m in zip(maker.operands, maps[:-1], strict=False)
    ]
    empty = tensor.EmptyOp(shape, ir.RankedTensorType(reshape.results[0].type).element_type).result
    new_maps = [expanded_map(m, groups, len(shape)) for m in maps[:-1]]
    new_maps.append(ir.AffineMap.get_identity(len(shape)))
    new = generic_like(maker, inputs, empty, new_maps, ["parallel"] * len(shape))
    reshape.results[0].replace_all_uses_with(new.results[0])
    reshape.erase()
    if not any(True for _ in maker.results[0].uses):
        maker.erase()


def generic_like(
    op: ir.Operation,
    inputs: list[ir.Value],
    output: ir.Value,
    maps: list[ir.AffineMap],
    iterators: list[str],
) -> ir.Operation:
    """Make a generic with the body of another one, of one result."""
    new = linalg.GenericOp(
        [output.type], inputs, [output],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{i}>") for i in iterators]),
    )  # fmt: skip
    old = op.regions[0].blocks[0]
    body = new.regions[0].blocks.append(*[a.type for a in old.arguments])
    values = dict(zip(old.arguments, body.arguments, strict=True))
    with ir.InsertionPoint(body):
        for inner in (o.operation for o in old.operations):
            clone = inner.clone()
            for i, operand in enumerate(inner.operands):
                clone.operands[i] = values.get(operand, operand)
            values.update(zip(inner.results, clone.results, strict=True))
    return new.operation


def _can_be_made_again(op: ir.Operation) -> bool:
    if op.name != "linalg.generic" or len(op.results) != 1 or not is_elementwise(op):
        return False
    maps, block = maps_of(op), op.regions[0].blocks[0]
    plain = all(
        isinstance(e, ir.AffineDimExpr | ir.AffineConstantExpr) for m in maps for e in m.results
    ) and all(len(o.operation.regions) == 0 for o in block.operations)
    reads_result = any(True for _ in block.arguments[init_index(op)].uses)
    if not plain or reads_result or ops_named(op, "linalg.index"):
        return False
    if maps[-1] != ir.AffineMap.get_identity(maps[-1].n_dims):
        return False
    return len(list(op.results[0].uses)) == 1 or cost_of(op) <= CHEAP


def refinement(whole: Sequence[int], finer: Sequence[int]) -> list[list[int]] | None:
    """Return which dimensions of a finer shape each one of a coarser is, in order, if it is one."""
    groups: list[list[int]] = []
    place = 0
    for size in whole:
        group = [place]
        while place < len(finer) and math.prod(finer[d] for d in group) < size:
            place += 1
            group.append(place)
        if place >= len(finer) or math.prod(finer[d] for d in group) != size:
            return None
        groups.append(group)
        place += 1
    rest = list(range(place, len(finer)))
    if any(finer[d] != 1 for d in rest) or (rest and not groups):
        return None
    return [*groups[:-1], [*groups[-1], *rest]] if rest else groups


def expanded_map(access: ir.AffineMap, groups: list[list[int]], rank: int) -> ir.AffineMap:
    """Return an operand's map where each loop has become those of its group."""
    exprs: list[ir.AffineExpr] = []
    for e in access.results:
        dims = groups[e.position] if isinstance(e, ir.AffineDimExpr) else []
        exprs += [ir.AffineExpr.get_dim(d) for d in dims] or [e]
    return ir.AffineMap.get(rank, 0, exprs)


def expanded(
    value: ir.Value, access: ir.AffineMap, groups: list[list[int]], shape: list[int]
) -> ir.Value:
    """Return an operand with the dimensions of the loops that its own have become."""
    if not isinstance(value.type, ir.RankedTensorType):
        return value
    sizes: list[int] = []
    own: list[list[int]] = []
    for size, e in zip(value.type.shape, access.results, strict=True):
        part = [shape[d] for d in groups[e.position]] if isinstance(e, ir.AffineDimExpr) else [size]
        own.append(list(range(len(sizes), len(sizes) + len(part))))
        sizes += part
    if len(sizes) == value.type.rank:
        return value
    kind = ir.RankedTensorType.get(sizes, value.type.element_type)
    return tensor.ExpandShapeOp(kind, value, own, [], sizes).result


OPS = (RaiseReshapesOp,)
