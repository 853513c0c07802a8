"""`transform.bellrock.inline_gathered`: of what is gathered from, only the elements that are read.

The loss of a classifier reads one element of each row of a log-softmax. Upstream keeps the
whole of it: elementwise fusion does not look into `tensor.extract`. Here the op that reads
computes the element for itself, from what the elementwise op would have read.

Rewrite:
    %y = linalg.generic (i, j) ins(%x, %s) { x(i, j) - log(s(i)) }
    %r = linalg.generic (i) ins(%k) { tensor.extract %y[i, k(i)] }
  ->
    %r = linalg.generic (i) ins(%k, %s) { tensor.extract %x[i, k(i)] - log(s(i)) }

What is read at the op's own indices becomes an operand: grouping and tiling know those.

Leaves alone: what is read nearly as often as it has elements, and ops that others read as well,
if their operands would have to be kept for the gathering alone.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import clone_at
from bellrock.dialects.grouping import defining_op, init_index, is_elementwise
from bellrock.dialects.loop_order import loop_sizes

FEWEST = 4
"""Elements that there are for each that is read, at the least."""
_GATHER = "tensor.extract"


@edits_in_place(lambda op: _inline_all(op))
class InlineGatheredOp(Bellrock.Operation, name="inline_gathered"):
    """Inline what is gathered from into the generics below the handle's ops that gather."""

    target: ext.Operand[transform.AnyOpType]


def _inline_all(root: ir.Operation) -> None:
    while (found := next(filter(_is_inlined, ops_named(root, _GATHER)), None)) is not None:
        producer = defining_op(found.operands[0])
        assert producer is not None
        reader = found.parent.operation
        _inline(producer, found)
        if not any(True for r in producer.results for _ in r.uses):
            producer.erase()
        _read_by_loops(reader)


def _is_inlined(extract: ir.Operation) -> bool:
    producer, reader = defining_op(extract.operands[0]), extract.parent.operation
    if producer is None or not is_elementwise(producer) or len(producer.results) != 1:
        return False
    if reader.name != "linalg.generic" or reader.block != producer.block:
        return False
    block = producer.regions[0].blocks[0]
    if any(True for _ in block.arguments[init_index(producer)].uses) or not _is_plain(producer):
        return False
    reads = sum(
        math.prod(loop_sizes(u.owner.operation.parent.operation).values())
        for u in producer.results[0].uses if u.owner.operation.name == _GATHER
    )  # fmt: skip
    elements = math.prod(ir.RankedTensorType(producer.results[0].type).shape)
    return reads * FEWEST <= elements and (_only_gathered(producer) or _operands_are_kept(producer))


def _is_plain(op: ir.Operation) -> bool:
    """Whether an op's shape is known, its body is one block, and its operands are tensors."""
    return (
        all(isinstance(v.type, ir.RankedTensorType) and v.type.has_static_shape
            for v in op.operands)
        and all(not len(o.operation.regions) for o in op.regions[0].blocks[0].operations)
        and all(isinstance(e, ir.AffineDimExpr | ir.AffineConstantExpr)
                for m in maps_of(op) for e in m.results)
    )  # fmt: skip


def _only_gathered(op: ir.Operation) -> bool:
    return all(u.owner.operation.name == _GATHER for u in op.results[0].uses)


def _operands_are_kept(op: ir.Operation) -> bool:
    """Whether what an op reads is there anyway (an argument, read by others, too), or small."""
    elements = math.prod(ir.RankedTensorType(op.results[0].type).shape)
    return all(
        defining_op(v) is None
        or any(u.owner.operation != op for u in v.uses)
        or math.prod(ir.RankedTensorType(v.type).shape) * FEWEST <= elements
        for v in list(op.operands)[: init_index(op)]
    )


def _inline(producer: ir.Operation, extract: ir.Operation) -> None:
    """Compute an element of the producer where it is extracted."""
    at = list(extract.operands)[1:]
    block = producer.regions[0].blocks[0]
    with ir.InsertionPoint(extract), extract.location:
        known: dict[ir.Value, ir.Value] = {}
        for value, argument, access in zip(
            list(producer.operands)[: init_index(producer)], block.arguments, maps_of(producer),
            strict=False,
        ):  # fmt: skip
            known[argument] = tensor.ExtractOp(value, _places(access, at)).result
        for op in list(block.operations)[:-1]:
            clone_at(op.operation, at, known)
    (result,) = list(block.operations)[-1].operation.operands
    extract.results[0].replace_all_uses_with(known.get(result, result))
    extract.erase()


def _places(access: ir.AffineMap, at: Sequence[ir.Value]) -> list[ir.Value]:
    return [
        at[e.position] if isinstance(e, ir.AffineDimExpr)
        else arith.ConstantOp(ir.IndexType.get(), ir.AffineConstantExpr(e).value).result
        for e in access.results
    ]  # fmt: skip


def _read_by_loops(reader: ir.Operation) -> None:
    """Make operands of what a generic extracts at its own indices."""
    while (found := next(filter(_is_at_indices, ops_named(reader, _GATHER)), None)) is not None:
        with ir.InsertionPoint(reader), reader.location:
            reader = _with_operand(reader, found)


def _is_at_indices(extract: ir.Operation) -> bool:
    at = [defining_op(v) for v in list(extract.operands)[1:]]
    loops = [ir.IntegerAttr(o.attributes["dim"]).value
             for o in at if o is not None and o.name == "linalg.index"]  # fmt: skip
    return len(loops) == len(at) and len(set(loops)) == len(loops)


def _with_operand(reader: ir.Operation, extract: ir.Operation) -> ir.Operation:
    """Put a generic with one more input, for an extract of its body, in its place."""
    first, maps = init_index(reader), maps_of(reader)
    loops = [
        ir.IntegerAttr(v.owner.operation.attributes["dim"]).value
        for v in list(extract.operands)[1:]
    ]
    access = ir.AffineMap.get(maps[0].n_dims, 0, [ir.AffineExpr.get_dim(d) for d in loops])
    inputs = [*list(reader.operands)[:first], extract.operands[0]]
    inits = list(reader.operands)[first:]
    new = linalg.GenericOp(
        [r.type for r in reader.results], inputs, inits,
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in (*maps[:first], access, *maps[first:])]),
        reader.attributes["iterator_types"],
    )  # fmt: skip
    types = [getattr(v.type, "element_type", v.type) for v in (*inputs, *inits)]
    body = new.regions[0].blocks.append(*types)
    old = reader.regions[0].blocks[0]
    arguments = list(body.arguments)
    known = dict(zip(old.arguments, [*arguments[:first], *arguments[first + 1 :]], strict=True))
    known[extract.results[0]] = arguments[first]
    with ir.InsertionPoint(body):
        for op in (o.operation for o in old.operations):
            if op == extract:
                continue
            clone = op.clone()
            for i, operand in enumerate(op.operands):
                clone.operands[i] = known.get(operand, operand)
            known.update(zip(op.results, clone.results, strict=True))
    for before, after in zip(reader.results, new.results, strict=True):
        before.replace_all_uses_with(after)
    reader.erase()
    return new.operation


OPS = (InlineGatheredOp,)
"""Transform ops of this file."""
