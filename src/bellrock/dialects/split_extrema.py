"""`transform.bellrock.split_extrema`: the position of an extremum, in two passes.

A reduction that carries an extremum and its position along is one chain of comparisons, which
no vectoriser takes. The extremum alone is an ordinary reduction, and so is the least
position at which it stands; the second pass finds the row in cache.

Rewrite:
    %m, %p = linalg.generic ins(%x) outs(-inf, 0) { maximumf; cmpf ogt, select index }
  ->
    %m = linalg.generic ins(%x) outs(-inf) { maximumf }
    %p = linalg.generic ins(%x, %m) outs(largest) { minsi of: index where x is m or no number }

Positions are of 32 bits until they are known, where that is enough: as many lanes as
elements have.

Needs: tensors; one reduction loop. A row with a NaN has the first of them as its extremum, as
PyTorch has it.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import iterators
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.split_reductions import along_memory as reads_along_memory

_WIDTH = 32
_LARGEST = 1 << (_WIDTH - 1)

_COMPARED = {
    "arith.maximumf": arith.CmpFPredicate.OGT,
    "arith.minimumf": arith.CmpFPredicate.OLT,
}


@edits_in_place(lambda op, **given: _split_all(op, **given), options=("along_memory",))
class SplitExtremaOp(Bellrock.Operation, name="split_extrema"):
    """Split the arg-max and arg-min reductions below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]
    along_memory: ir.IntegerAttr
    """Whether to leave alone those of columns, where neighbours in memory are different results."""


@edits_in_place(lambda op: _nans_first(op))
class NansFirstOp(Bellrock.Operation, name="nans_first"):
    """Let the first NaN be the extremum also where an arg-max or arg-min is not split.

    It is the extremum's value already; comparisons alone never choose its position.
    """

    target: ext.Operand[transform.AnyOpType]


def _nans_first(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        compared = _comparison(op)
        if compared is None:
            continue
        value, best = compared.operands
        with ir.InsertionPoint.after(compared), op.location:
            no_number = arith.CmpFOp(arith.CmpFPredicate.UNO, value, value).result
            number_before = arith.CmpFOp(arith.CmpFPredicate.ORD, best, best).result
            first = arith.AndIOp(no_number, number_before).result
            better = arith.OrIOp(compared.results[0], first)
        compared.results[0].replace_all_uses_except(better.result, better.operation)


def _comparison(op: ir.Operation) -> ir.Operation | None:
    """Return the comparison by which a reduction takes positions along, over any loops."""
    block = op.regions[0].blocks[0]
    if len(op.results) != 2 or len(op.operands) != 3:
        return None
    value, best, position = block.arguments
    made = [v.owner for v in list(block.operations)[-1].operation.operands]
    if any(isinstance(o, ir.Block) for o in made):
        return None
    extremum, chosen = (o.operation for o in made)
    if extremum.name not in _COMPARED or chosen.name != "arith.select":
        return None
    compared = chosen.operands[0].owner
    if isinstance(compared, ir.Block) or compared.operation.name != "arith.cmpf":
        return None
    predicate = ir.IntegerAttr(compared.operation.attributes["predicate"]).value
    fits = (
        set(extremum.operands) == {value, best}
        and list(compared.operation.operands) == [value, best]
        and chosen.operands[2] == position
        and predicate == _COMPARED[extremum.name].value
    )
    return compared.operation if fits else None


def _split_all(root: ir.Operation, *, along_memory: int) -> None:
    for op in ops_named(root, "linalg.generic"):
        loop = position_loop(op)
        if loop is not None and (not along_memory or reads_along_memory(op)):
            with ir.InsertionPoint(op), op.location:
                _split(op, loop)
            op.erase()


def position_loop(op: ir.Operation) -> int | None:
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
    source, value_init, _ = op.operands
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
    found = _positions(op, loop, first.results[0])
    for old, new in zip(op.results, (first.results[0], found), strict=True):
        old.replace_all_uses_with(new)


def _positions(op: ir.Operation, loop: int, extrema: ir.Value) -> ir.Value:
    """Make the least positions of some extrema; in 32 bits, where as many lanes compare."""
    source, _, init = op.operands
    read, kept, _ = maps_of(op)
    kinds = op.attributes["iterator_types"]
    wide = ir.RankedTensorType(init.type)
    short = 0 < loop_sizes(op).get(loop, 0) < _LARGEST and wide.element_type.width > _WIDTH
    element = ir.IntegerType.get_signless(_WIDTH) if short else wide.element_type
    largest = arith.ConstantOp(element, (1 << (element.width - 1)) - 1).result
    # In the same tensor, which may be the kernel's destination, if it has the right type.
    into = tensor.EmptyOp(list(wide.shape), element).result if short else init
    start = linalg.fill(largest, outs=[into])
    op = _generic([source, extrema], start, [read, kept, kept], kinds)
    body = op.regions[0].blocks[0]
    with ir.InsertionPoint(body):
        value, extremum, least = body.arguments
        there = arith.CmpFOp(arith.CmpFPredicate.OEQ, value, extremum).result
        no_number = arith.CmpFOp(arith.CmpFPredicate.UNO, value, value).result
        here = arith.IndexCastOp(element, linalg.IndexOp(loop).result).result
        found = arith.SelectOp(arith.OrIOp(there, no_number).result, here, largest).result
        linalg.YieldOp([arith.MinSIOp(found, least).result])
    return _widened(op.results[0], init) if short else op.results[0]


def _widened(value: ir.Value, init: ir.Value) -> ir.Value:
    rank = ir.RankedTensorType(init.type).rank
    identity = ir.AffineMap.get_identity(rank)
    parallel = ir.ArrayAttr.get([ir.Attribute.parse("#linalg.iterator_type<parallel>")] * rank)
    op = _generic([value], init, [identity, identity], parallel)
    body = op.regions[0].blocks[0]
    with ir.InsertionPoint(body):
        linalg.YieldOp([arith.ExtSIOp(body.arguments[1].type, body.arguments[0]).result])
    return op.results[0]


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


OPS = (SplitExtremaOp, NansFirstOp)
