"""`transform.bellrock.inline_producers`: compute again what is cheaper than to keep.

Upstream fuses an elementwise op into a reader if it is the only one. Between the passes of
a kernel over its rows, an op may have several readers: a centred row is squared and summed,
and then scaled. Subtracting again costs less than a buffer of the row, which may not even
fit the cache. What is dear (an exponential) is kept, unless it is too large to be.

Rewrite (on tensors or blocks of them):
    %d = linalg.generic (x - m) ins(%x, %m); %s = linalg.generic (sum of d * d) ins(%d); ...
  ->
    %s = linalg.generic (sum of (x - m) * (x - m)) ins(%x, %m); ...

Needs: producers with an identity output; they disappear if every reader could take them in.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Callable

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index, is_elementwise
from bellrock.dialects.hoist_invariants import FEWEST_REPEATS
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.row_space import element_bytes
from bellrock.dialects.varying import varying_values

CHEAP = 6
"""Operations per element up to which an op is computed again: about a store and two loads."""
CHEAP_FOR_MANY = 3
"""The same for an element that is read `FEWEST_REPEATS` times in one pass, by a row each."""
_COSTS = {"arith.constant": 0, "linalg.index": 0, "linalg.yield": 0, "arith.divf": 4,
          "arith.remf": 20, "arith.divsi": 20, "arith.remsi": 20, "math.sqrt": 4,
          "math.rsqrt": 5, "math.absf": 1, "math.absi": 1, "math.fma": 1}  # fmt: skip
_FUNCTION = 15
"""Of any other function: a polynomial."""


@edits_in_place(lambda op, **given: _inline_large(op, **given), options=("kept_bytes",))
class InlineProducersOp(Bellrock.Operation, name="inline_producers"):
    """Inline the cheap and the large elementwise producers below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]
    kept_bytes: ir.IntegerAttr
    """A result above this is not kept, whatever it costs."""


@edits_in_place(lambda op: _inline_all(op, lambda o: _is_cheap_mask(o) or _is_position(o)))
class InlineMasksOp(Bellrock.Operation, name="inline_masks"):
    """Inline cheap elementwise producers of truth values, and those of positions.

    No vectoriser loads truth values from memory, and what depends on positions alone costs
    less to compute than to load.
    """

    target: ext.Operand[transform.AnyOpType]


def _inline_large(root: ir.Operation, *, kept_bytes: int) -> None:
    _inline_all(root, lambda op: _is_to_vanish(op, kept_bytes))


def _inline_all(root: ir.Operation, vanishes: Callable[[ir.Operation], bool]) -> None:
    while (op := next(filter(vanishes, ops_named(root, "linalg.generic")), None)) is not None:
        while (use := next(iter(op.results[0].uses), None)) is not None:
            _inline(op, use.owner.operation)
        op.erase()


def _is_cheap_mask(op: ir.Operation) -> bool:
    if not _may_vanish(op) or cost_of(op) > CHEAP:
        return False
    element = ir.RankedTensorType(op.results[0].type).element_type
    return isinstance(element, ir.IntegerType) and element.width == 1


def _is_position(op: ir.Operation) -> bool:
    return init_index(op) == 0 and _may_vanish(op) and cost_of(op) <= CHEAP


def _is_to_vanish(op: ir.Operation, kept_bytes: int) -> bool:
    return _may_vanish(op) and (cost_of(op) <= _limit(op) or _result_bytes(op) > kept_bytes)


def _limit(op: ir.Operation) -> int:
    """Return what an element may cost that is computed again, at each of its readers' reads."""
    made = math.prod(loop_sizes(op).values())
    read = min(math.prod(loop_sizes(u.owner.operation).values()) for u in op.results[0].uses)
    return CHEAP if read < FEWEST_REPEATS * made else CHEAP_FOR_MANY


def _result_bytes(op: ir.Operation) -> int:
    kind = ir.RankedTensorType(op.results[0].type)
    return math.prod(kind.shape) * element_bytes(kind.element_type)


def _may_vanish(op: ir.Operation) -> bool:
    """Whether an op is elementwise and all that reads its result is inputs of generics."""
    if not is_elementwise(op) or len(op.results) != 1:
        return False
    block = op.regions[0].blocks[0]
    if any(True for _ in block.arguments[init_index(op)].uses):
        return False
    uses = list(op.results[0].uses)
    return bool(uses) and all(
        u.owner.operation.name == "linalg.generic"
        and u.operand_number < init_index(u.owner.operation)
        and u.owner.operation.block == op.block
        and _takes_in(u.owner.operation, op)
        for u in uses
    )


def _takes_in(reader: ir.Operation, producer: ir.Operation) -> bool:
    """Whether a reader has all it needs once it computes the producer for itself.

    Each of its loops has to run along some dimension of an operand that is left (a mean of
    what is equal along the loop reads nothing else of that size), and indices of the
    producer have to be indices of the reader.
    """
    maps = maps_of(reader)
    reads = [i for i in range(init_index(reader)) if reader.operands[i] == producer.results[0]]
    left = [m for i, m in enumerate(maps) if i not in reads]
    for access in (maps[i] for i in reads):
        left += [
            ir.AffineMap.get(access.n_dims, 0, [e.compose(access) for e in m.results], m.context)
            for m in maps_of(producer)[: init_index(producer)]
        ]
        plain = all(isinstance(e, ir.AffineDimExpr | ir.AffineConstantExpr) for e in access.results)
        if not plain and ops_named(producer, "linalg.index"):
            return False
    covered = {e.position for m in left for e in m.results if isinstance(e, ir.AffineDimExpr)}
    return len(covered) == maps[0].n_dims


def cost_of(op: ir.Operation) -> int:
    """Count operations per element; those on values that a whole row shares cost nothing."""
    varying = varying_values(op)
    total = 0
    for inner in (o.operation for o in op.regions[0].blocks[0].operations):
        if any(v in varying for v in inner.operands):
            default = _FUNCTION if inner.name.startswith("math.") else 1
            total += _COSTS.get(inner.name, default)
    return total


def _inline(producer: ir.Operation, reader: ir.Operation) -> None:
    """Replace a reader by one that computes the producer's body for itself."""
    index = next(
        (i for i, v in enumerate(reader.operands) if v == producer.results[0]), None
    )  # fmt: skip
    while index is not None:
        reader = _inline_operand(producer, reader, index)
        index = next((i for i, v in enumerate(reader.operands) if v == producer.results[0]), None)


def _inline_operand(producer: ir.Operation, reader: ir.Operation, index: int) -> ir.Operation:
    read_maps, own_maps = maps_of(reader), maps_of(producer)
    access, first_init = read_maps[index], init_index(reader)
    taken = [
        ir.AffineMap.get(access.n_dims, 0, [e.compose(access) for e in m.results], reader.context)
        for m in own_maps[: init_index(producer)]
    ]
    kept = [i for i in range(first_init) if i != index]
    inputs = [*(reader.operands[i] for i in kept), *list(producer.operands)[: len(taken)]]
    inits = list(reader.operands)[first_init:]
    maps = [*(read_maps[i] for i in kept), *taken, *read_maps[first_init:]]
    with ir.InsertionPoint(reader), reader.location:
        new = linalg.GenericOp(
            [r.type for r in reader.results], inputs, inits,
            ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
            reader.attributes["iterator_types"],
        )  # fmt: skip
        for name in reader.attributes:
            if name.startswith("bellrock."):
                new.operation.attributes[name] = reader.attributes[name]
        types = [getattr(v.type, "element_type", v.type) for v in (*inputs, *inits)]
        body = new.regions[0].blocks.append(*types)
        with ir.InsertionPoint(body):
            _fill(body, producer, reader, index, kept)
    for old, result in zip(reader.results, new.results, strict=True):
        old.replace_all_uses_with(result)
    reader.erase()
    return new.operation


def _fill(
    body: ir.Block, producer: ir.Operation, reader: ir.Operation, index: int, kept: list[int]
) -> None:
    """Clone both bodies, the producer's first."""
    arguments = list(body.arguments)
    inner, outer = producer.regions[0].blocks[0], reader.regions[0].blocks[0]
    taken = init_index(producer)
    own = dict(zip(inner.arguments, arguments[len(kept) : len(kept) + taken], strict=False))
    access = maps_of(reader)[index]
    for op in list(inner.operations)[:-1]:
        if op.operation.name == "linalg.index":
            own[op.operation.results[0]] = _index(op.operation, access)
        else:
            _clone(op.operation, own)
    (value,) = list(inner.operations)[-1].operation.operands
    values = {outer.arguments[i]: arguments[n] for n, i in enumerate(kept)}
    values[outer.arguments[index]] = own.get(value, value)
    first_init = init_index(reader)
    for n, argument in enumerate(list(outer.arguments)[first_init:]):
        values[argument] = arguments[len(kept) + taken + n]
    for op in outer.operations:
        _clone(op.operation, values)


def _index(op: ir.Operation, access: ir.AffineMap) -> ir.Value:
    """Return the producer's index in the reader's loops."""
    expr = access.results[ir.IntegerAttr(op.attributes["dim"]).value]
    if isinstance(expr, ir.AffineDimExpr):
        return linalg.IndexOp(expr.position).result
    assert isinstance(expr, ir.AffineConstantExpr), "readers project what they read"
    return arith.ConstantOp(ir.IndexType.get(), expr.value).result


def _clone(op: ir.Operation, values: dict[ir.Value, ir.Value]) -> None:
    clone = op.clone()

    def visit(nested: ir.Operation) -> ir.WalkResult:
        for i, operand in enumerate(nested.operands):
            if operand in values:
                nested.operands[i] = values[operand]
        return ir.WalkResult.ADVANCE

    clone.operation.walk(visit)
    values.update(zip(op.results, clone.results, strict=True))


OPS = (InlineProducersOp, InlineMasksOp)
