"""`transform.bellrock.reduce_as_made`: what is kept and also reduced is reduced as it is made.

Upstream fuses a producer into a reader if it is the only one. The exponentials of a softmax
have two, the sum and the quotient: they are kept, and then read twice. Here the sum joins the
op that makes them, which then has two results.

Rewrite (on tensors or blocks of them):
    %e = generic (i, j) -> x(i, j), e(i, j) { exp }
    %s = generic (i, j reduces) -> e(i, j), s(i) { addf }
  ->
    %e, %s = generic (i, j reduces) -> x(i, j), e(i, j), s(i) { exp; addf }

Needs: a producer with an identity output, all of whose loops the reduction has; its other
readers come after the reduction.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index, is_elementwise
from bellrock.dialects.row_space import reduces


@edits_in_place(lambda op: _join_all(op))
class ReduceAsMadeOp(Bellrock.Operation, name="reduce_as_made"):
    """Join reductions below the handle's ops with the elementwise ops that make their input."""

    target: ext.Operand[transform.AnyOpType]


def _join_all(root: ir.Operation) -> None:
    # Joining erases reductions: these must not be met again, so only what can be joined is walked.
    for op in [o for o in ops_named(root, "linalg.generic") if is_elementwise(o)]:
        reduction = _reduction_of(op)
        if reduction is not None:
            with ir.InsertionPoint(reduction), reduction.location:
                _join(op, reduction)


def _reduction_of(op: ir.Operation) -> ir.Operation | None:
    """Return the first reader of an elementwise op, if it is a reduction that can join it."""
    if not is_elementwise(op) or len(op.results) != 1 or ops_named(op, "linalg.index"):
        return None
    maps, block = maps_of(op), op.regions[0].blocks[0]
    if any(True for _ in block.arguments[init_index(op)].uses):
        return None
    users = [u.owner.operation for u in op.results[0].uses]
    order = [o.operation for o in op.block.operations]
    if len(users) < 2 or any(u not in order for u in users):
        return None
    first = min(users, key=order.index)
    if not reduces(first) or users.count(first) != 1 or not len(first.results):
        return None
    index = next(i for i, v in enumerate(first.operands) if v == op.results[0])
    access = maps_of(first)[index]
    identity = maps[-1] == ir.AffineMap.get_identity(maps[-1].n_dims)
    return first if identity and index < init_index(first) and access.is_permutation else None


def _join(producer: ir.Operation, reduction: ir.Operation) -> None:
    maps, own = maps_of(reduction), maps_of(producer)
    index = next(i for i, v in enumerate(reduction.operands) if v == producer.results[0])
    access, first_init, taken = maps[index], init_index(reduction), init_index(producer)
    kept = [i for i in range(first_init) if i != index]
    read = [
        ir.AffineMap.get(access.n_dims, 0, [e.compose(access) for e in m.results])
        for m in own[:taken]
    ]  # fmt: skip
    inputs = [*list(producer.operands)[:taken], *(reduction.operands[i] for i in kept)]
    inits = [producer.operands[taken], *list(reduction.operands)[first_init:]]
    all_maps = [*read, *(maps[i] for i in kept), access, *maps[first_init:]]
    new = linalg.GenericOp(
        [v.type for v in inits], inputs, inits,
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in all_maps]),
        reduction.attributes["iterator_types"],
    )  # fmt: skip
    for name in reduction.attributes:
        if name.startswith("bellrock."):
            new.operation.attributes[name] = reduction.attributes[name]
    _fill(new.operation, producer, reduction, index)
    for old, result in zip(reduction.results, list(new.results)[1:], strict=True):
        old.replace_all_uses_with(result)
    reduction.erase()
    producer.results[0].replace_all_uses_with(new.results[0])
    producer.erase()


def _fill(new: ir.Operation, producer: ir.Operation, reduction: ir.Operation, index: int) -> None:
    """Clone both bodies, the producer's first, and yield what both yield."""
    types = [getattr(v.type, "element_type", v.type) for v in new.operands]
    body = new.regions[0].blocks.append(*types)
    made, reduced = (op.regions[0].blocks[0] for op in (producer, reduction))
    taken = init_index(producer)
    values = dict(zip(list(made.arguments)[:taken], body.arguments, strict=False))
    with ir.InsertionPoint(body):
        (value,) = _clone(made, values)
        others = [a for i, a in enumerate(reduced.arguments) if i != index]
        inputs = init_index(reduction) - 1
        given = list(body.arguments)[taken:]
        given.pop(inputs)  # the producer's old result, which it does not read
        values = dict(zip(others, given, strict=True))
        values[reduced.arguments[index]] = value
        linalg.YieldOp([value, *_clone(reduced, values)])


def _clone(block: ir.Block, values: dict[ir.Value, ir.Value]) -> list[ir.Value]:
    """Clone a body but for its end; returns what it yields."""
    *ops, last = [o.operation for o in block.operations]
    for op in ops:
        clone = op.clone()
        for i, operand in enumerate(op.operands):
            clone.operands[i] = values.get(operand, operand)
        values.update(zip(op.results, clone.results, strict=True))
    return [values.get(v, v) for v in last.operands]


OPS = (ReduceAsMadeOp,)
