"""`transform.bellrock.sink_reshapes`: reduce and compute in the finer shape that is wanted again.

Upstream's elementwise fusion moves a reshape past an op if it is the only reader. Heads of queries
that share heads of keys are two dimensions to the products of an attention, and one to its
softmax, whose maximum and exponentials both read the scores.

Rewrite:
    %c = tensor.collapse_shape %x [[0, 1], [2]]
    %m = generic (h, q reduces k) -> c(h, q, k), m(h, q) { maximumf }
    %e = generic (h, q, k) -> c(h, q, k), m(h, q) { exp }
    %y = tensor.expand_shape %e [[0, 1], [2]]
  ->
    %m = generic (g, h, q reduces k) -> x(g, h, q, k), m(g, h, q) { maximumf }
    %e = generic (g, h, q, k) -> x(g, h, q, k), m(g, h, q) { exp }
    (and the reshapes of what others read of them, which cancel out or are left)

Needs: static shapes; readers of the collapsed tensor that index it by loops and read no positions;
none of them reduces what is collapsed; one's result is expanded in the same way.

Another reason to sink one: it drops unit dimensions of what a convolution or a product makes,
and its only reader is elementwise. A batch of one image would otherwise keep its activations in
kernels of their own, since what is read in another shape joins no kernel. What pads the result
for the next convolution then reads it in the finer shape, too.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import defining_op, init_index, is_elementwise, iterators
from bellrock.dialects.raise_reshapes import expanded, expanded_map, generic_like


@edits_in_place(lambda op: _sink_all(op))
class SinkReshapesOp(Bellrock.Operation, name="sink_reshapes"):
    """Sink the collapsing reshapes below the handle's ops whose readers are expanded again."""

    target: ext.Operand[transform.AnyOpType]


def _sink_all(root: ir.Operation) -> None:
    for collapse in ops_named(root, "tensor.collapse_shape"):
        if not _is_sinkable(collapse):
            continue
        readers = [u.owner.operation for u in collapse.results[0].uses]
        wanted_again = len(readers) > 1 and any(_is_expanded(r, collapse) for r in readers)
        if wanted_again or _parts_epilogue(collapse, readers):
            sink(collapse)


def sink(collapse: ir.Operation) -> list[ir.Operation]:
    """Make all that reads a collapsed tensor of the finer one, if all of it can be.

    Args:
        collapse: a `tensor.collapse_shape`; it is erased then.

    Returns:
        The same op for each result of these.
    """
    readers = [u.owner.operation for u in collapse.results[0].uses]
    if not _is_sinkable(collapse):
        return []
    # Makers first: what one of the readers makes may be read by another.
    order = [o.operation for o in collapse.block.operations]
    made: list[ir.Operation | None] = []
    for reader in sorted(readers, key=order.index):
        with ir.InsertionPoint(reader), reader.location:
            made.append(_expand(reader, collapse))
    collapse.erase()
    return [op for op in made if op is not None]


def _parts_epilogue(collapse: ir.Operation, readers: list[ir.Operation]) -> bool:
    """Whether all that a reshape does is to drop unit dimensions between a sum and its epilogue."""
    maker = defining_op(collapse.operands[0])
    finer = list(ir.RankedTensorType(collapse.operands[0].type).shape)
    return (
        maker is not None
        and maker.name == "linalg.generic"
        and "reduction" in iterators(maker)
        and len(list(collapse.operands[0].uses)) == 1
        and len(readers) == 1
        and is_elementwise(readers[0])
        and all(sum(finer[d] != 1 for d in group) <= 1 for group in groups_of(collapse))
    )


def _is_sinkable(collapse: ir.Operation) -> bool:
    """Whether all that reads a collapsed tensor can work in the finer shape."""
    if not ir.RankedTensorType(collapse.operands[0].type).has_static_shape:
        return False
    if not groups_of(collapse):
        return False  # a single number has no loops that could become finer
    return all(_takes(u.owner.operation, collapse) for u in collapse.results[0].uses)


def groups_of(reshape: ir.Operation) -> list[list[int]]:
    """Return the dimensions of the finer shape that each of the coarser one is."""
    return [[ir.IntegerAttr(i).value for i in ir.ArrayAttr(g)]
            for g in ir.ArrayAttr(reshape.attributes["reassociation"])]  # fmt: skip


def _operand_number(op: ir.Operation, value: ir.Value) -> int:
    return list(op.operands).index(value)


def _takes(op: ir.Operation, collapse: ir.Operation) -> bool:
    """Whether a reader can work in the finer shape."""
    if op.name != "linalg.generic" or len(op.results) != 1 or op.block != collapse.block:
        return False
    operands, value = list(op.operands), collapse.results[0]
    if operands.count(value) != 1 or operands.index(value) >= init_index(op):
        return False
    if not all(ir.RankedTensorType(v.type).has_static_shape for v in operands
               if isinstance(v.type, ir.RankedTensorType)):  # fmt: skip
        return False
    single = all(
        isinstance(e, ir.AffineDimExpr | ir.AffineConstantExpr)
        for m in maps_of(op)
        for e in m.results
    )
    made_by_loops = all(isinstance(e, ir.AffineDimExpr) for e in maps_of(op)[-1].results)
    if not single or not made_by_loops or ops_named(op, "linalg.index"):
        return False
    kinds = iterators(op)
    loops = maps_of(op)[operands.index(value)].results
    return all(
        len(group) == 1 or (isinstance(e, ir.AffineDimExpr) and kinds[e.position] == "parallel")
        for e, group in zip(loops, groups_of(collapse), strict=True)
    )


def _is_expanded(op: ir.Operation, collapse: ir.Operation) -> bool:
    """Whether all that is made of an op's result is an expansion by the same groups."""
    users = [u.owner.operation for u in op.results[0].uses]
    return bool(users) and all(
        u.name == "tensor.expand_shape" and groups_of(u) == groups_of(collapse) for u in users
    )


def _expand(op: ir.Operation, collapse: ir.Operation) -> ir.Operation | None:
    """Give an op the loops of the finer shape; return what collapses its result, if that has."""
    number = _operand_number(op, collapse.results[0])
    maps, kinds = maps_of(op), iterators(op)
    finer = list(ir.RankedTensorType(collapse.operands[0].type).shape)
    sizes = _loop_sizes(op, maps)
    parts = {i: [sizes[i]] for i in range(len(kinds))}
    for e, group in zip(maps[number].results, groups_of(collapse), strict=True):
        if isinstance(e, ir.AffineDimExpr):
            parts[e.position] = [finer[d] for d in group]
    groups: list[list[int]] = []
    shape: list[int] = []
    for loop in range(len(kinds)):
        groups.append(list(range(len(shape), len(shape) + len(parts[loop]))))
        shape += parts[loop]
    inputs = [
        collapse.operands[0] if i == number else expanded(v, m, groups, shape)
        for i, (v, m) in enumerate(zip(list(op.operands)[:-1], maps[:-1], strict=True))
    ]
    old = op.operands[len(op.operands) - 1]
    new = generic_like(
        op, inputs, _output(old, maps[-1], groups, shape),
        [expanded_map(m, groups, len(shape)) for m in maps],
        [kind for kind, group in zip(kinds, groups, strict=True) for _ in group],
    )  # fmt: skip
    own = _result_groups(maps[-1], groups)
    result, collapsed = new.results[0], None
    if sum(len(g) for g in own) > len(own):
        _insert_finer(op.results[0], result)
        collapsed = tensor.CollapseShapeOp(op.results[0].type, result, own).operation
        result = collapsed.results[0]
    op.results[0].replace_all_uses_with(result)
    op.erase()
    return collapsed


def _insert_finer(value: ir.Value, finer: ir.Value) -> None:
    """Let slices that have the finer shape take what is inserted in that shape."""
    for use in list(value.uses):
        user = use.owner.operation
        if user.name == "tensor.insert_slice" and use.operand_number == 0:
            sizes = list(ir.DenseI64ArrayAttr(user.attributes["static_sizes"]))
            if sizes == list(finer.type.shape):
                user.operands[0] = finer


def _loop_sizes(op: ir.Operation, maps: list[ir.AffineMap]) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for value, access in zip(op.operands, maps, strict=True):
        if isinstance(value.type, ir.RankedTensorType):
            for size, e in zip(value.type.shape, access.results, strict=True):
                if isinstance(e, ir.AffineDimExpr):
                    sizes[e.position] = size
    return sizes


def _output(
    value: ir.Value, access: ir.AffineMap, groups: list[list[int]], shape: list[int]
) -> ir.Value:
    """Return an initial value in the finer shape; of nothing or of one number it is made anew."""
    owner = defining_op(value)
    sizes = [shape[d] for g in _result_groups(access, groups, flat=True) for d in g]
    element = ir.RankedTensorType(value.type).element_type
    if owner is not None and owner.name == "tensor.empty":
        return tensor.EmptyOp(sizes, element).result
    if owner is not None and owner.name == "linalg.fill":
        empty = tensor.EmptyOp(sizes, element).result
        return linalg.fill(owner.operands[0], outs=[empty])
    return expanded(value, access, groups, shape)


def _result_groups(
    access: ir.AffineMap, groups: list[list[int]], *, flat: bool = False
) -> list[list[int]]:
    """Return, for each dimension of a result, its finer ones: as numbers of them, or as loops."""
    found: list[list[int]] = []
    count = 0
    for e in access.results:
        loops = groups[e.position]
        found.append(loops if flat else list(range(count, count + len(loops))))
        count += len(loops)
    return found


OPS = (SinkReshapesOp,)
