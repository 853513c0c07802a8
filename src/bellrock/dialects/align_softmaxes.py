"""`transform.bellrock.align_softmaxes`: a softmax and the product after it see one shape.

Upstream's elementwise fusion moves a reshape past an op if nothing else reads between. Windows of
an image are split or put together before an attention and after it; the reshapes for that end up
among the ops of its softmax, where scores have one shape to some and a finer one to others.

Rewrite (of exponentials that are split):
    %y = tensor.expand_shape %e [[0, 1], [2]]
    %t = generic (g, h reduces k) -> y(g, h, k), t(g, h) { addf }
  ->
    %t = generic (h reduces k) -> e(h, k), t(h) { addf }
    %z = tensor.expand_shape %t [[0, 1]]
and so on with what reads `%z`, as far as the rounding of the next product. Scores that are put
together for their softmax are not, in the same way (as in `sink_reshapes`).

Needs: static shapes; readers that index the parts of a dimension one after the other in every
operand that has them, and read no positions.
"""

# No postponed annotations here: the dialect reads the field types from them.
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import init_index, iterators
from bellrock.dialects.grouping import defining_op
from bellrock.dialects.raise_reshapes import generic_like, refinement
from bellrock.dialects.sink_reshapes import groups_of, sink

_DEPTH = 4
"""Ops one after the other that are made alike: maximum and exponentials, total and weights, the
product with values, its rounding."""


@edits_in_place(lambda op: _align_all(op))
class AlignSoftmaxesOp(Bellrock.Operation, name="align_softmaxes"):
    """Align the shapes of the softmaxes below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


def _align_all(root: ir.Operation) -> None:
    split = [
        _direct(op) for op in ops_named(root, "tensor.expand_shape")
        if _is_exponential(defining_op(op.operands[0]))
    ]  # fmt: skip
    for _ in range(_DEPTH - 1):
        split = [new for op in split for new in _defer(op)]
    joined = [
        op for op in ops_named(root, "tensor.collapse_shape")
        if any(_is_exponential(u.owner.operation) for u in op.results[0].uses)
    ]  # fmt: skip
    for _ in range(_DEPTH):
        joined = [new for op in joined for new in sink(op)]


def _is_exponential(op: ir.Operation | None) -> bool:
    """Whether an op makes exponentials of differences: those of a softmax."""
    if op is None or op.name != "linalg.generic":
        return False
    last = list(op.regions[0].blocks[0].operations)[-1].operation.operands[0]
    exponential = defining_op(last)
    if exponential is None or exponential.name != "math.exp":
        return False
    difference = defining_op(exponential.operands[0])
    return difference is not None and difference.name == "arith.subf"


def _direct(expand: ir.Operation) -> ir.Operation:
    """Return an expansion without the dimensions of size 1 that its only reader drops again."""
    users = [u.owner.operation for u in expand.results[0].uses]
    if len(users) != 1 or users[0].name != "tensor.collapse_shape":
        return expand
    collapse = users[0]
    source = ir.RankedTensorType(expand.operands[0].type)
    kind = ir.RankedTensorType(collapse.results[0].type)
    if not (source.has_static_shape and kind.has_static_shape):
        return expand
    groups = refinement(list(source.shape), list(kind.shape))
    if groups is None:
        return expand
    with ir.InsertionPoint(collapse), collapse.location:
        new = tensor.ExpandShapeOp(kind, expand.operands[0], groups, [], list(kind.shape))
    collapse.results[0].replace_all_uses_with(new.result)
    collapse.erase()
    expand.erase()
    return new.operation


def _defer(expand: ir.Operation) -> list[ir.Operation]:
    """Make all that reads a split tensor of the whole one; return how its results are split."""
    readers = list(dict.fromkeys(u.owner.operation for u in expand.results[0].uses))
    joined = [_joined_loops(r, expand) for r in readers]
    if not readers or any(j is None for j in joined):
        return []
    found: list[ir.Operation] = []
    for reader, loops in zip(readers, joined, strict=True):
        assert loops is not None
        with ir.InsertionPoint(reader), reader.location:
            new = _made_whole(reader, loops, expand)
        if new is not None:
            found.append(new)
    expand.erase()
    return found


@dataclass(frozen=True, slots=True)
class _Loops:
    """Which loops of an op become one: by number, that of the first of them."""

    first: tuple[int, ...]

    @property
    def kept(self) -> list[int]:
        """Loops that are still there."""
        return [loop for loop, first in enumerate(self.first) if loop == first]

    def groups(self, access: ir.AffineMap) -> list[list[int]]:
        """Return the dimensions of an operand that become one."""
        found: list[list[int]] = []
        for place, e in enumerate(access.results):
            part = isinstance(e, ir.AffineDimExpr) and self.first[e.position] != e.position
            if part:
                found[-1].append(place)
            else:
                found.append([place])
        return found

    def map(self, access: ir.AffineMap) -> ir.AffineMap:
        """Return how an operand is indexed afterwards."""
        kept = self.kept
        exprs: list[ir.AffineExpr] = []
        for e in access.results:
            if not isinstance(e, ir.AffineDimExpr):
                exprs.append(e)
            elif self.first[e.position] == e.position:
                exprs.append(ir.AffineExpr.get_dim(kept.index(e.position)))
        return ir.AffineMap.get(len(kept), 0, exprs)


def _joined_loops(op: ir.Operation, expand: ir.Operation) -> _Loops | None:
    """Return the loops that become one where an op reads the whole tensor; None if it cannot."""
    if op.name != "linalg.generic" or len(op.results) != 1 or ops_named(op, "linalg.index"):
        return None
    tensors = [v.type for v in op.operands if isinstance(v.type, ir.RankedTensorType)]
    operands, maps, kinds = list(op.operands), maps_of(op), iterators(op)
    single = all(
        isinstance(e, ir.AffineDimExpr | ir.AffineConstantExpr) for m in maps for e in m.results
    )
    number = operands.index(expand.results[0])
    if (
        not single
        or operands.count(expand.results[0]) != 1
        or number >= init_index(op)
        or not all(t.has_static_shape for t in tensors)
    ):
        return None
    first = list(range(len(kinds)))
    access = maps[number].results
    for group in groups_of(expand):
        loops = [e.position for e in (access[d] for d in group) if isinstance(e, ir.AffineDimExpr)]
        if len(group) == 1:
            continue
        if len(loops) != len(group) or len({kinds[i] for i in loops}) != 1:
            return None
        if not all(_together(m, loops) for m in maps):
            return None
        for loop in loops:
            first[loop] = loops[0]
    return _Loops(tuple(first))


def _together(access: ir.AffineMap, loops: list[int]) -> bool:
    """Whether an operand has none of some loops, or all, one after the other."""
    read = [e.position if isinstance(e, ir.AffineDimExpr) else -1 for e in access.results]
    if not set(loops) & set(read):
        return True
    starts = [i for i, loop in enumerate(read) if loop == loops[0]]
    whole = [read[i : i + len(loops)] == loops for i in starts]
    return whole == [True] and sum(read.count(loop) for loop in loops) == len(loops)


def _made_whole(op: ir.Operation, loops: _Loops, expand: ir.Operation) -> ir.Operation | None:
    """Put an op on whole dimensions in the place of one on parts; return how its result is cut."""
    maps, kinds = maps_of(op), iterators(op)
    operands = [
        expand.operands[0] if value == expand.results[0] else _whole(value, loops.groups(access))
        for value, access in zip(op.operands, maps, strict=True)
    ]
    new = generic_like(
        op, operands[:-1], operands[-1], [loops.map(m) for m in maps],
        [kinds[i] for i in loops.kept],
    )  # fmt: skip
    result, kind = new.results[0], ir.RankedTensorType(op.results[0].type)
    groups = loops.groups(maps[-1])
    split = None
    if len(groups) < kind.rank:
        split = tensor.ExpandShapeOp(kind, result, groups, [], list(kind.shape))
        result = split.result
    op.results[0].replace_all_uses_with(result)
    op.erase()
    return None if split is None else split.operation


def _whole(value: ir.Value, groups: list[list[int]]) -> ir.Value:
    """Return an operand with groups of dimensions as one; what is empty or filled is made anew."""
    if not isinstance(value.type, ir.RankedTensorType) or len(groups) == value.type.rank:
        return value
    sizes = [1] * len(groups)
    for i, group in enumerate(groups):
        for d in group:
            sizes[i] *= value.type.shape[d]
    owner, element = defining_op(value), value.type.element_type
    if owner is not None and owner.name == "tensor.empty":
        return tensor.EmptyOp(sizes, element).result
    if owner is not None and owner.name == "linalg.fill":
        return linalg.fill(owner.operands[0], outs=[tensor.EmptyOp(sizes, element).result])
    kind = ir.RankedTensorType.get(sizes, element)
    return tensor.CollapseShapeOp(kind, value, groups).result


OPS = (AlignSoftmaxesOp,)
