"""`transform.bellrock.split_products`: what a contraction's factor computes becomes an op.

Upstream's elementwise fusion puts the maker of an operand into a contraction's body, where it is
computed again for each of the products that its value takes part in, and where no strategy for
contractions knows it. Computed once, it is an elementwise kernel, and the contraction is plain.
So is the rounding of a factor to the type that the product is meant in.

Rewrite:
    %r = linalg.generic (m, n, k) ins(%a, %b) { %c + max(%a, 0) * %b }
  ->
    %f = linalg.generic (m, k) ins(%a) { max(%a, 0) }
    %r = linalg.generic (m, n, k) ins(%f, %b) { %c + %f * %b }

Leaves alone: a body that is no sum of products.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index
from bellrock.payload.motif import MotifKind, find_motif

_PARALLEL = "#linalg.iterator_type<parallel>"


@edits_in_place(lambda op: _split_all(op))
class SplitProductsOp(Bellrock.Operation, name="split_products"):
    """Make the contractions below the handle plain."""

    target: ext.Operand[transform.AnyOpType]


def _split_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        motif = find_motif(op)
        if motif is None or motif.kind is not MotifKind.CONTRACTION:
            continue
        if motif.plain and not _narrows(op):
            continue
        factors = _factors(op.regions[0].blocks[0])
        if factors is not None and _reads_by_loops(op):
            with ir.InsertionPoint(op), op.location:
                _split(op, factors)


def _narrows(op: ir.Operation) -> bool:
    """Whether a body rounds one of its inputs, which is then a factor in a narrower type."""
    inputs = list(op.regions[0].blocks[0].arguments)[: init_index(op)]
    return any(u.owner.operation.name == "arith.truncf" for a in inputs for u in a.uses)


def _reads_by_loops(op: ir.Operation) -> bool:
    """Whether every operand is indexed by loops alone."""
    return all(isinstance(e, ir.AffineDimExpr) for m in maps_of(op) for e in m.results)


def _factors(block: ir.Block) -> tuple[ir.Value, ir.Value] | None:
    """Return the factors of a body that adds their product to its old value."""
    old = block.arguments[len(block.arguments) - 1]
    total = _maker(list(block.operations)[-1].operation.operands[0])
    if total is None or total.name != "arith.addf" or old not in list(total.operands):
        return None
    update = total.operands[1] if total.operands[0] == old else total.operands[0]
    made = _maker(update)
    if made is None or made.name != "arith.mulf":
        return None
    return made.operands[0], made.operands[1]


def _maker(value: ir.Value) -> ir.Operation | None:
    return None if isinstance(value.owner, ir.Block) else value.owner.operation


def _split(op: ir.Operation, factors: tuple[ir.Value, ir.Value]) -> None:
    """Put a plain contraction of ready factors in the place of `op`, at the insertion point."""
    readers = [_factor_operand(op, behind_widening(f)) for f in factors]
    init = op.operands[init_index(op)]
    maps = [*(access for _, access in readers), maps_of(op)[-1]]
    inputs = [value for value, _ in readers]
    product = linalg.GenericOp(
        [init.type], inputs, [init],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]), op.attributes["iterator_types"],
    )  # fmt: skip
    types = [v.type.element_type for v in (*inputs, init)]
    body = product.regions[0].blocks.append(*types)
    source = op.regions[0].blocks[0]
    known = {source.arguments[init_index(op)]: body.arguments[2]}
    known |= {behind_widening(f): a for f, a in zip(factors, body.arguments, strict=False)}
    with ir.InsertionPoint(body):
        total = list(source.operations)[-1].operation.operands[0]
        linalg.YieldOp([cloned(total, known)])
    op.results[0].replace_all_uses_with(product.results[0])
    op.erase()


def behind_widening(value: ir.Value) -> ir.Value:
    """Return what a value was before floats were widened."""
    made = _maker(value)
    while made is not None and made.name == "arith.extf":
        value = made.operands[0]
        made = _maker(value)
    return value


def _factor_operand(op: ir.Operation, factor: ir.Value) -> tuple[ir.Value, ir.AffineMap]:
    """Return a tensor with a factor's values, and how the contraction reads it."""
    block, maps = op.regions[0].blocks[0], maps_of(op)
    arguments = list(block.arguments)
    if factor in arguments:
        index = arguments.index(factor)
        return op.operands[index], maps[index]
    used = leaves_of(factor, arguments)
    indices = indices_of(factor)
    read = {ir.AffineDimExpr(e).position for i in used for e in maps[i].results}
    loops = sorted(read | {_dimension(i) for i in indices})
    place = [ir.AffineExpr.get_constant(0)] * maps[0].n_dims
    for new, loop in enumerate(loops):
        place[loop] = ir.AffineExpr.get_dim(new)
    renamed = ir.AffineMap.get(len(loops), 0, place)
    own = [ir.AffineMap.get(len(loops), 0, [e.compose(renamed) for e in maps[i].results])
           for i in used]  # fmt: skip
    inputs = [op.operands[i] for i in used]
    sizes = {ir.AffineDimExpr(e).position: size
             for value, access in zip(op.operands, maps, strict=True)
             for e, size in zip(access.results, value.type.shape, strict=True)}  # fmt: skip
    empty = tensor.EmptyOp([sizes[loop] for loop in loops], factor.type).result
    access = [ir.AffineMapAttr.get(m) for m in (*own, ir.AffineMap.get_identity(len(loops)))]
    parallel = ir.Attribute.parse(_PARALLEL)
    made = linalg.GenericOp([empty.type], inputs, [empty], ir.ArrayAttr.get(access),
                            ir.ArrayAttr.get([parallel] * len(loops)))  # fmt: skip
    types = [v.type.element_type for v in (*inputs, empty)]
    body = made.regions[0].blocks.append(*types)
    with ir.InsertionPoint(body):
        known = {arguments[i]: a for i, a in zip(used, body.arguments, strict=False)}
        for index in indices:
            known[index.results[0]] = linalg.IndexOp(loops.index(_dimension(index))).result
        linalg.YieldOp([cloned(factor, known)])
    place = [ir.AffineExpr.get_dim(loop) for loop in loops]
    return made.results[0], ir.AffineMap.get(maps[0].n_dims, 0, place)


def _dimension(index: ir.Operation) -> int:
    """Return the loop whose index an op reads."""
    return ir.IntegerAttr(index.attributes["dim"]).value


def indices_of(value: ir.Value) -> list[ir.Operation]:
    """Return the reads of indices that a value in a body is computed from."""
    found: list[ir.Operation] = []
    pending, seen = [value], set()
    while pending:
        made = _maker(pending.pop())
        if made is None or made in seen or made.parent.operation.name != "linalg.generic":
            continue
        seen.add(made)
        if made.name == "linalg.index":
            found.append(made)
        pending.extend(made.operands)
    return found


def leaves_of(value: ir.Value, arguments: list[ir.Value]) -> list[int]:
    """Return the numbers of the arguments that a value is computed from."""
    found, pending, seen = set(), [value], set()
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        made = _maker(current)
        if current in arguments:
            found.add(arguments.index(current))
        elif made is not None:
            pending.extend(made.operands)
    return sorted(found)


def cloned(value: ir.Value, known: dict[ir.Value, ir.Value]) -> ir.Value:
    """Clone what computes a value at the insertion point, where it is in a generic's body."""
    if value in known:
        return known[value]
    made = _maker(value)
    if made is None or made.parent.operation.name != "linalg.generic":
        return value  # from outside the body
    operands = [cloned(v, known) for v in made.operands]
    clone = made.clone()
    for i, operand in enumerate(operands):
        clone.operands[i] = operand
    known.update(zip(made.results, clone.results, strict=True))
    return known[value]


OPS = (SplitProductsOp,)
"""Transform ops of this file."""
