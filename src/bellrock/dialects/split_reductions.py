"""`transform.bellrock.split_reductions`: a long reduction as partial results and theirs.

A sum of a million elements is one dependent chain: it runs on one core, and its rounding error
grows with its length. Split, the partial results are independent (parallel) and short, and so
is the reduction of them. Upstream's `structured.split_reduction` takes ops with exactly one
reduction loop whose size its factor divides; here any number of loops and any size will do.

Rewrite, with 6 of 12 * 1000 iterations to a piece for the example's sake:
    %r = generic (d0, d1 reduce) ins(%x: 12x1000) outs(%init)
  ->
    %y = tensor.expand_shape %x: 2x6x1000
    %p = generic (o parallel; i, d1 reduce) ins(%y) outs(fill(neutral): 2)
    %r = generic (o reduce) ins(%p) outs(%init)
A size that no suitable factor divides is cut in two; the remainder is reduced into %init first.

Pieces are about as many as a piece has iterations, so that neither reduction is long; those of a
contraction, whose partial results are matrices, are as `contraction.depth_pieces` says.

Leaves alone: the reductions of an attention that is chosen to be one kernel, ops that read loop
indices, combine in other ways than `NEUTRAL` knows, or index an operand by a reduction loop
together with others (windows).
"""

# No postponed annotations here: the dialect reads the field types from them.
import math

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.attention.chosen import chosen_attention
from bellrock.dialects.contraction.depth_pieces import piece_of
from bellrock.dialects.extension import Bellrock, attach_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index, iterators
from bellrock.dialects.loop_order import loop_sizes, operand_strides
from bellrock.dialects.reduction_cuts import Cut, best_cut

_FAR = 16
"""Elements from which on neighbours are in cache lines of their own."""
NEUTRAL: dict[str, float] = {
    "arith.addf": 0.0, "arith.mulf": 1.0,
    "arith.maximumf": -math.inf, "arith.maxnumf": -math.inf,
    "arith.minimumf": math.inf, "arith.minnumf": math.inf,
    "arith.addi": 0, "arith.muli": 1, "arith.ori": 0, "arith.xori": 0, "arith.andi": -1,
    "arith.maxsi": -math.inf, "arith.minsi": math.inf,
}  # fmt: skip
"""Combiners that are associative (up to rounding), and the value that changes nothing."""


class SplitReductionsOp(Bellrock.Operation, name="split_reductions"):
    """Split the long reductions below the handle's ops (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]
    longest: ir.IntegerAttr
    """Iterations from which on a reduction is long."""
    longest_of_one: ir.IntegerAttr
    """The same for a reduction of one operand, or to one number."""
    fewest: ir.IntegerAttr
    """Iterations of a piece at the least: below, starting a piece costs more than its work."""
    most_results: ir.IntegerAttr
    """Results up to which it is split: with more there is parallel work enough, and the
    partial results would be as much memory traffic as the operands."""
    longest_row: ir.IntegerAttr
    """Iterations up to which a reduction along memory is left to work-items that share a row."""
    fewest_rows: ir.IntegerAttr
    """Results from which on it is: fewer rows leave most of a device idle."""
    longest_shared: ir.IntegerAttr
    """Iterations up to which it is however few results there are: one group is quick enough."""

    @classmethod
    def attach(cls, context: ir.Context) -> None:
        """Attach the interfaces in one context."""
        options = ("longest", "longest_of_one", "fewest", "most_results", "longest_row",
                   "fewest_rows", "longest_shared")  # fmt: skip
        attach_in_place(cls, _split_all, context, options=options)


def _split_all(
    root: ir.Operation, *, longest: int, longest_of_one: int, fewest: int, most_results: int,
    longest_row: int, fewest_rows: int, longest_shared: int,
) -> None:  # fmt: skip
    generics = ops_named(root, "linalg.generic")
    chosen = {part for op in generics for part in chosen_attention(op) or ()}
    for op in generics:
        if op in chosen:
            continue
        sizes = loop_sizes(op)
        kinds = iterators(op)
        length = math.prod(sizes[d] for d, kind in enumerate(kinds) if kind == "reduction")
        results = math.prod(sizes[d] for d, kind in enumerate(kinds) if kind == "parallel")
        least = longest_of_one if 1 in (init_index(op), results) else longest
        most = longest_row if results >= fewest_rows else longest_shared
        shared = length <= most and along_memory(op)
        if length < least or shared or combiner_of(op) is None:
            continue
        piece = piece_of(op)
        if piece is None:  # neither the partial results nor the last reduction is to be long
            piece = max(fewest, math.isqrt(length)) if results <= most_results else 0
        cut = best_cut(op, sizes, piece, length) if piece else None
        if cut is not None:
            with ir.InsertionPoint(op), op.location:
                _split(op, cut, sizes)


def along_memory(op: ir.Operation) -> bool:
    """Whether neighbours in memory are iterations of a reduction, not results.

    Args:
        op: a generic; where it is on tensors, they are taken to be contiguous.
    """
    inputs = zip(list(op.operands)[: init_index(op)], maps_of(op), strict=False)
    strides = [operand_strides(value, access, tensors=True) for value, access in inputs]
    known = [s for s in strides if s is not None]
    if not any(any(s) for s in known):
        return False
    kinds = iterators(op)
    best = min(range(len(kinds)), key=lambda d: sum(min(s[d], _FAR) for s in known))
    return kinds[best] == "reduction"


def combiner_of(op: ir.Operation, *, indices: bool = False) -> ir.Operation | None:
    """Return the op of a reduction's body that combines the old result with a new element.

    None where the op has several results, or combines in another way.

    Args:
        op: a generic.
        indices: whether it may read loop indices.
    """
    return None if not indices and ops_named(op, "linalg.index") else _combiner(op)


def update_of(op: ir.Operation) -> ir.Value | None:
    """Return what a reduction's body combines with the old result; it may read indices."""
    combiner = _combiner(op)
    if combiner is None:
        return None
    old = op.regions[0].blocks[0].arguments[init_index(op)]
    return next(v for v in combiner.operands if v != old)


def _combiner(op: ir.Operation) -> ir.Operation | None:
    if len(op.operands) - init_index(op) != 1:
        return None
    block = op.regions[0].blocks[0]
    carried = block.arguments[init_index(op)]
    combiner = block.operations[len(block.operations) - 1].operation.operands[0].owner
    if isinstance(combiner, ir.Block) or combiner.name not in NEUTRAL:
        return None
    operands = list(combiner.operands)
    uses = [use.owner.operation for use in carried.uses]
    once = operands.count(carried) == 1 and uses == [combiner.operation]
    return combiner.operation if once else None


def _split(op: ir.Operation, cut: Cut, sizes: dict[int, int]) -> None:
    init = op.operands[init_index(op)]
    whole = cut.pieces * cut.piece
    if whole < sizes[cut.loop]:
        rest = [_slice(v, d, whole, sizes[cut.loop] - whole) for v, d in _inputs(op, cut.loop)]
        kept = op.clone()
        for i, value in enumerate(rest):
            kept.operands[i] = value
        init = kept.results[0]
    partial = _partial(op, cut, sizes)
    op.results[0].replace_all_uses_with(_combined(op, partial, init))
    op.erase()


def _inputs(op: ir.Operation, loop: int) -> list[tuple[ir.Value, int | None]]:
    """Return each input with the dimension of it that a loop runs along, if it does."""
    dim = ir.AffineExpr.get_dim(loop, op.context)
    found: list[tuple[ir.Value, int | None]] = []
    for i in range(init_index(op)):
        exprs = list(maps_of(op)[i].results)
        found.append((op.operands[i], exprs.index(dim) if dim in exprs else None))
    return found


def _slice(value: ir.Value, dim: int | None, offset: int, size: int) -> ir.Value:
    if dim is None:
        return value
    kind = ir.RankedTensorType(value.type)
    offsets = [offset if d == dim else 0 for d in range(kind.rank)]
    shape = [size if d == dim else s for d, s in enumerate(kind.shape)]
    result = ir.RankedTensorType.get(shape, kind.element_type)
    return tensor.ExtractSliceOp(result, value, [], [], [], offsets, shape, [1] * kind.rank).result


def _expand(value: ir.Value, dim: int | None, cut: Cut) -> ir.Value:
    """Return a value with one dimension seen as pieces; as it is, if they are of one element."""
    if dim is None or cut.piece == 1:
        return value
    kind = ir.RankedTensorType(value.type)
    shape = [*kind.shape[:dim], cut.pieces, cut.piece, *kind.shape[dim + 1 :]]
    groups = [[d + (d > dim)] if d != dim else [d, d + 1] for d in range(kind.rank)]
    result = ir.RankedTensorType.get(shape, kind.element_type)
    return tensor.ExpandShapeOp(result, value, groups, [], shape).result


def _partial(op: ir.Operation, cut: Cut, sizes: dict[int, int]) -> ir.Value:
    """Make the partial results: the op with a parallel loop over pieces around its loops."""
    whole = cut.pieces * cut.piece
    values: list[ir.Value] = []
    for value, dim in _inputs(op, cut.loop):
        part = value if whole == sizes[cut.loop] else _slice(value, dim, 0, whole)
        values.append(_expand(part, dim, cut))
    out = ir.RankedTensorType(op.results[0].type)
    kind = ir.RankedTensorType.get([cut.pieces, *out.shape], out.element_type)
    combiner = combiner_of(op)
    assert combiner is not None
    start = _filled(kind, combiner.name)
    made = linalg.GenericOp(
        [kind], values, [start],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in _partial_maps(op, cut)]),
        iterator_types(["parallel", *(iterators(op)[d] for d in _kept_loops(op, cut))]),
    )  # fmt: skip
    copy_body(op, made.operation)
    return made.results[0]


def _kept_loops(op: ir.Operation, cut: Cut) -> list[int]:
    """Return the loops of an op that its pieces have, too; not one that pieces have no more of."""
    return [d for d in range(maps_of(op)[0].n_dims) if d != cut.loop or cut.piece > 1]


def _partial_maps(op: ir.Operation, cut: Cut) -> list[ir.AffineMap]:
    """Return the maps of the partial results: loop 0 over pieces, the kept loops after it."""
    maps, kept = maps_of(op), _kept_loops(op, cut)
    count = len(kept) + 1
    piece = ir.AffineExpr.get_dim(0, op.context)
    new = [
        ir.AffineExpr.get_dim(kept.index(d) + 1, op.context) if d in kept else piece
        for d in range(maps[0].n_dims)
    ]
    moved = ir.AffineMap.get(count, 0, new, op.context)
    dim = ir.AffineExpr.get_dim(cut.loop, op.context)
    changed: list[ir.AffineMap] = []
    for access in maps[:-1]:
        exprs: list[ir.AffineExpr] = []
        for expr in access.results:
            exprs += [piece] if expr == dim and cut.piece > 1 else []
            exprs.append(expr.compose(moved))
        changed.append(ir.AffineMap.get(count, 0, exprs, op.context))
    out = [piece, *(expr.compose(moved) for expr in maps[-1].results)]
    return [*changed, ir.AffineMap.get(count, 0, out, op.context)]


def _combined(op: ir.Operation, partial: ir.Value, init: ir.Value) -> ir.Value:
    """Reduce the partial results, whose first dimension counts the pieces, into `init`."""
    kind = ir.RankedTensorType(init.type)
    count = kind.rank + 1
    dims = [ir.AffineExpr.get_dim(d, op.context) for d in range(count)]
    maps = [ir.AffineMap.get(count, 0, each, op.context) for each in (dims, dims[1:])]
    made = linalg.GenericOp(
        [kind], [partial], [init],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        iterator_types(["reduction", *["parallel"] * kind.rank]),
    )  # fmt: skip
    combiner = combiner_of(op)
    assert combiner is not None
    body = made.regions[0].blocks.append(kind.element_type, kind.element_type)
    with ir.InsertionPoint(body):
        combined = combiner.clone()
        combined.operands[0], combined.operands[1] = body.arguments
        linalg.YieldOp([combined.results[0]])
    return made.results[0]


def iterator_types(kinds: list[str]) -> ir.ArrayAttr:
    """Return the attribute for loops that are each "parallel" or "reduction"."""
    return ir.ArrayAttr.get(
        [ir.Attribute.parse(f"#linalg.iterator_type<{kind}>") for kind in kinds]
    )


def _filled(kind: ir.RankedTensorType, combiner: str) -> ir.Value:
    constant = neutral_of(combiner, kind.element_type)
    empty = tensor.EmptyOp(list(kind.shape), kind.element_type).result
    return linalg.fill(constant, outs=[empty])


def neutral_of(combiner: str, element: ir.Type) -> ir.Value:
    """Return a constant that changes nothing it is combined with.

    Args:
        combiner: name of the op, as of one that `combiner_of` returns.
        element: its type.
    """
    neutral = NEUTRAL[combiner]
    if isinstance(element, ir.FloatType):
        return arith.ConstantOp(element, neutral).result
    assert isinstance(element, ir.IntegerType), "checked by what combines them"
    end = 1 << (element.width - 1)
    whole = int(neutral) if math.isfinite(neutral) else (end - 1 if neutral > 0 else -end)
    return arith.ConstantOp(element, whole).result


def copy_body(source: ir.Operation, target: ir.Operation) -> None:
    """Give a generic without a body the body of another."""
    old = source.regions[0].blocks[0]
    new = target.regions[0].blocks.append(*[a.type for a in old.arguments])
    values = dict(zip(old.arguments, new.arguments, strict=True))
    with ir.InsertionPoint(new):
        for op in old.operations:
            copy = op.operation.clone()
            for i, operand in enumerate(copy.operands):
                copy.operands[i] = values.get(operand, operand)
            values.update(zip(op.operation.results, copy.results, strict=True))


OPS = (SplitReductionsOp,)
