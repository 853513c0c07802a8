"""`transform.bellrock.hoist_invariants`: functions of a row are computed once for each row.

Missing upstream: elementwise fusion takes the logarithm of a sum into the body that subtracts
it from each element. Where elements of a row are neighbours in memory LLVM moves it out of the
innermost loop; where neighbours are in different rows (a softmax over channels) it cannot, and
computes it again for each element.

Rewrite:
    %y = generic (n, c, p) -> x(n, c, p), s(n, p) { subf(x, log(s)) }
  ->
    %l = generic (n, p) -> s(n, p) { log(s) }
    %y = generic (n, c, p) -> x(n, c, p), l(n, p) { subf(x, l) }

A quotient by such a value becomes a product with its reciprocal (as `relax_reductions` allows
where the value is the same in the innermost loop). Leaves alone: what is cheap, what depends on
no loop, what depends on all but a few iterations.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index
from bellrock.dialects.loop_order import loop_sizes

FEWEST_REPEATS = 4
"""Times that a value is computed again at the least before a buffer of it pays."""
_DEAR = {"arith.divf", "arith.remf", "arith.divsi", "arith.remsi"}
_CHEAP = {"math.absf", "math.absi", "math.fma", "math.copysign"}

_Loops = frozenset[int]


@edits_in_place(lambda op: _hoist_all(op))
class HoistInvariantsOp(Bellrock.Operation, name="hoist_invariants"):
    """Hoist dear invariants out of the generics on tensors below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


def _hoist_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        if not len(op.results) or not _is_static(op):
            continue
        _reciprocals(op)
        current = op
        while (value := _dear_invariant(current)) is not None:
            current = _hoist(current, value)


def _is_static(op: ir.Operation) -> bool:
    body = [o.operation for o in op.regions[0].blocks[0].operations]
    return (
        all(len(o.regions) == 0 for o in body)
        and len(loop_sizes(op)) == maps_of(op)[0].n_dims
        and all(
            isinstance(e, ir.AffineDimExpr | ir.AffineConstantExpr)
            for m in maps_of(op) for e in m.results
        )
    )  # fmt: skip


def _loops_of_values(op: ir.Operation) -> dict[ir.Value, _Loops]:
    """Return which loops each value in a body depends on."""
    block = op.regions[0].blocks[0]
    every = frozenset(range(maps_of(op)[0].n_dims))
    found: dict[ir.Value, _Loops] = {}
    for i, (argument, access) in enumerate(zip(block.arguments, maps_of(op), strict=True)):
        dims = (e.position for e in access.results if isinstance(e, ir.AffineDimExpr))
        found[argument] = frozenset(dims) if i < init_index(op) else every
    for inner in (o.operation for o in block.operations):
        loops = frozenset().union(*(found.get(v, frozenset()) for v in inner.operands))
        if inner.name == "linalg.index":
            loops = frozenset([ir.IntegerAttr(inner.attributes["dim"]).value])
        found.update(dict.fromkeys(inner.results, loops))
    return found


def _repeats(op: ir.Operation, loops: _Loops) -> int:
    return math.prod(n for loop, n in loop_sizes(op).items() if loop not in loops)


def _reciprocals(op: ir.Operation) -> None:
    """Turn quotients by values that hardly vary into products."""
    loops = _loops_of_values(op)
    for inner in [o.operation for o in op.regions[0].blocks[0].operations]:
        if inner.name != "arith.divf":
            continue
        above, below = (loops.get(v, frozenset()) for v in inner.operands)
        if not below or above <= below or _repeats(op, below) < FEWEST_REPEATS:
            continue
        with ir.InsertionPoint(inner), inner.location:
            one = arith.ConstantOp(inner.results[0].type, 1.0).result
            inverse = arith.DivFOp(one, inner.operands[1]).result
            product = arith.MulFOp(inner.operands[0], inverse).result
        inner.results[0].replace_all_uses_with(product)
        inner.erase()


def _dear_invariant(op: ir.Operation) -> ir.Value | None:
    """Return a value that some op with more loops reads, and that took a dear op to make."""
    loops = _loops_of_values(op)
    for inner in (o.operation for o in op.regions[0].blocks[0].operations):
        for value in inner.results:
            own = loops[value]
            if not own or _repeats(op, own) < FEWEST_REPEATS:
                continue
            leaves = any(_reads_more(u.owner.operation, own, loops) for u in value.uses)
            if leaves and any(_is_dear(o) for o in _makers(value)):
                return value
    return None


def _reads_more(user: ir.Operation, own: _Loops, loops: dict[ir.Value, _Loops]) -> bool:
    return user.name == "linalg.yield" or any(loops[r] != own for r in user.results)


def _is_dear(op: ir.Operation) -> bool:
    return op.name in _DEAR or (op.name.startswith("math.") and op.name not in _CHEAP)


def _makers(*values: ir.Value, given: ir.Value | None = None) -> list[ir.Operation]:
    """Return the ops of the body that make some values (if one is given), in program order."""
    block = (
        values[0].owner
        if isinstance(values[0].owner, ir.Block)
        else values[0].owner.operation.block
    )
    given_values = set() if given is None else {given}
    wanted = set(values) - given_values
    found: list[ir.Operation] = []
    for op in reversed([o.operation for o in block.operations]):
        if any(r in wanted for r in op.results):
            found.append(op)
            wanted.update(v for v in op.operands if v not in given_values)
    return found[::-1]


def _hoist(op: ir.Operation, value: ir.Value) -> ir.Operation:
    """Compute a value of the body in a generic of its own; returns the op that reads it."""
    loops = sorted(_loops_of_values(op)[value])
    block = op.regions[0].blocks[0]
    makers = _makers(value)
    read = {v for o in makers for v in o.operands}
    inputs = [i for i, a in enumerate(block.arguments) if a in read]
    with ir.InsertionPoint(op), op.location:
        made = _new_generic(op, makers, inputs, loops, value)
        return _reading(op, value, made, loops)


def _new_generic(
    op: ir.Operation, makers: list[ir.Operation], inputs: list[int], loops: list[int],
    value: ir.Value,
) -> ir.Value:  # fmt: skip
    maps, sizes = maps_of(op), loop_sizes(op)
    number = {loop: ir.AffineExpr.get_dim(n) for n, loop in enumerate(loops)}
    renamed = [number.get(d, ir.AffineExpr.get_constant(0)) for d in range(maps[0].n_dims)]
    moved = ir.AffineMap.get(len(loops), 0, renamed)
    accesses = [
        ir.AffineMap.get(len(loops), 0, [e.compose(moved) for e in maps[i].results])
        for i in inputs
    ]  # fmt: skip
    empty = tensor.EmptyOp([sizes[d] for d in loops], value.type).result
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    made = linalg.GenericOp(
        [empty.type], [op.operands[i] for i in inputs], [empty],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in
                          (*accesses, ir.AffineMap.get_identity(len(loops)))]),
        ir.ArrayAttr.get([parallel] * len(loops)),
    )  # fmt: skip
    old = op.regions[0].blocks[0]
    body = made.regions[0].blocks.append(*[old.arguments[i].type for i in inputs], value.type)
    values = {old.arguments[i]: body.arguments[n] for n, i in enumerate(inputs)}
    with ir.InsertionPoint(body):
        _clone_all(makers, values)
        linalg.YieldOp([values[value]])
    i64 = ir.IntegerType.get_signless(64)
    for index in ops_named(made.operation, "linalg.index"):
        dim = loops.index(ir.IntegerAttr(index.attributes["dim"]).value)
        index.attributes["dim"] = ir.IntegerAttr.get(i64, dim)
    return made.results[0]


def _reading(op: ir.Operation, value: ir.Value, made: ir.Value, loops: list[int]) -> ir.Operation:
    """Replace an op by one that reads a value instead of making it."""
    maps, operands = maps_of(op), list(op.operands)
    old, inits = op.regions[0].blocks[0], init_index(op)
    last = old.operations[len(old.operations) - 1].operation
    left = [*_makers(*last.operands, given=value), last]
    read = {v for inner in left for v in inner.operands}
    taken = [i for i in range(inits) if old.arguments[i] in read]
    access = ir.AffineMap.get(
        maps[0].n_dims, 0, [ir.AffineExpr.get_dim(loop) for loop in loops]
    )  # fmt: skip
    if not _covers([*(maps[i] for i in taken), access, *maps[inits:]]):
        taken = list(range(inits))
    all_maps = [*(maps[i] for i in taken), access, *maps[inits:]]
    new = linalg.GenericOp(
        [r.type for r in op.results], [*(operands[i] for i in taken), made], operands[inits:],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in all_maps]),
        op.attributes["iterator_types"],
    )  # fmt: skip
    for name in op.attributes:
        if name.startswith("bellrock."):
            new.operation.attributes[name] = op.attributes[name]
    arguments = [*(old.arguments[i] for i in taken), value, *list(old.arguments)[inits:]]
    body = new.regions[0].blocks.append(*[a.type for a in arguments])
    with ir.InsertionPoint(body):
        _clone_all(left, dict(zip(arguments, body.arguments, strict=True)))
    for before, after in zip(op.results, new.results, strict=True):
        before.replace_all_uses_with(after)
    op.erase()
    return new.operation


def _covers(maps: list[ir.AffineMap]) -> bool:
    """Whether operands of these maps tell the size of each loop."""
    told = {e.position for m in maps for e in m.results if isinstance(e, ir.AffineDimExpr)}
    return len(told) == maps[0].n_dims


def _clone_all(ops: list[ir.Operation], values: dict[ir.Value, ir.Value]) -> None:
    for op in ops:
        clone = op.clone()
        for i, operand in enumerate(op.operands):
            clone.operands[i] = values.get(operand, operand)
        values.update(zip(op.results, clone.results, strict=True))


OPS = (HoistInvariantsOp,)
