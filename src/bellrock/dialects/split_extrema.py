"""`transform.bellrock.split_extrema`: the position of an extremum, in two passes.

A reduction that carries an extremum and its position along is one chain of comparisons, which
no vectoriser takes. The extremum alone is an ordinary reduction, and so is the least
position at which it stands; the second pass finds the row in cache.

Rewrite:
    %m, %p = linalg.generic ins(%x) outs(-inf, 0) { maximumf; cmpf ogt, select index }
  ->
    %m = linalg.generic ins(%x) outs(-inf) { maximumf }
    %p = linalg.generic ins(%x, %m) outs(largest) { minsi of: index where x is m or no number }

Needs: tensors; one reduction loop. A row with a NaN has the first of them as its extremum, as
PyTorch has it.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, transform

from bellrock.dialects.extension import Bellrock, attach_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import iterators

_COMPARED = {
    "arith.maximumf": arith.CmpFPredicate.OGT,
    "arith.minimumf": arith.CmpFPredicate.OLT,
}


class SplitExtremaOp(Bellrock.Operation, name="split_extrema"):
    """Split the arg-max and arg-min reductions below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]

    @classmethod
    def attach(cls, context: ir.Context) -> None:
        """Attach the interfaces in one context."""
        attach_in_place(cls, _split_all, context)


def _split_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        loop = _position_loop(op)
        if loop is not None:
            with ir.InsertionPoint(op), op.location:
                _split(op, loop)
            op.erase()


def _position_loop(op: ir.Operation) -> int | None:
    """Return the loop whose index an arg-max or arg-min takes along, or None for other ops."""
    ops = [o.operation for o in op.regions[0].blocks[0].operations]
    if len(op.results) != 2 or len(op.operands) != 3 or iterators(op).count("reduction") != 1:
        return None
    if [o.name for o in ops[:2]] != ["linalg.index", "arith.index_cast"] or len(ops) != 6:
        return None
    index, cast, extremum, compared, chosen, result = ops
    value, best, position = op.regions[0].blocks[0].arguments
    names = (extremum.name, compared.name, chosen.name)
    if names[0] not in _COMPARED or names[1:] != ("arith.cmpf", "arith.select"):
        return None
    predicate = ir.IntegerAttr(compared.attributes["predicate"]).value
    loop = ir.IntegerAttr(index.attributes["dim"]).value
    fits = (
        cast.operands[0] == index.results[0]
        and set(extremum.operands) == {value, best}
        and list(compared.operands) == [value, best]
        and predicate == _COMPARED[extremum.name].value
        and list(chosen.operands) == [compared.results[0], cast.results[0], position]
        and list(result.operands) == [extremum.results[0], chosen.results[0]]
        and iterators(op)[loop] == "reduction"
    )
    return loop if fits else None


def _split(op: ir.Operation, loop: int) -> None:
    source, value_init, position_init = op.operands
    read, kept, _ = maps_of(op)
    kinds = op.attributes["iterator_types"]
    name = list(op.regions[0].blocks[0].operations)[2].operation.name
    first = _generic([source], value_init, [read, kept], kinds)
    for attribute in op.attributes:
        if attribute.startswith("bellrock."):
            first.attributes[attribute] = op.attributes[attribute]
    body = first.regions[0].blocks[0]
    with ir.InsertionPoint(body):
        combined = ir.Operation.create(name, [body.arguments[0].type], list(body.arguments))
        linalg.YieldOp([combined.result])
    kind = ir.RankedTensorType(position_init.type)
    largest = arith.ConstantOp(kind.element_type, (1 << (kind.element_type.width - 1)) - 1).result
    # In the same tensor, which may be the kernel's destination.
    start = linalg.fill(largest, outs=[position_init])
    second = _generic([source, first.results[0]], start, [read, kept, kept], kinds)
    body = second.regions[0].blocks[0]
    with ir.InsertionPoint(body):
        value, extremum, least = body.arguments
        there = arith.CmpFOp(arith.CmpFPredicate.OEQ, value, extremum).result
        no_number = arith.CmpFOp(arith.CmpFPredicate.UNO, value, value).result
        here = arith.IndexCastOp(kind.element_type, linalg.IndexOp(loop).result).result
        found = arith.SelectOp(arith.OrIOp(there, no_number).result, here, largest).result
        linalg.YieldOp([arith.MinSIOp(found, least).result])
    for old, new in zip(op.results, (first.results[0], second.results[0]), strict=True):
        old.replace_all_uses_with(new)


def _generic(
    inputs: list[ir.Value], init: ir.Value, maps: list[ir.AffineMap], kinds: ir.Attribute
) -> ir.Operation:
    """Make a generic with an empty body."""
    op = linalg.GenericOp(
        [init.type], inputs, [init],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]), kinds,
    )  # fmt: skip
    op.regions[0].blocks.append(*[v.type.element_type for v in (*inputs, init)])
    return op.operation


OPS = (SplitExtremaOp,)
