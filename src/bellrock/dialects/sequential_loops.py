"""`transform.bellrock.scan_to_loops` and `scatter_to_loops`: torch-mlir's ops as loops.

`tm_tensor.scan` and `tm_tensor.scatter` have no bufferisation of their own that keeps value
semantics, so they become loops over tensor slices, which upstream bufferises in place.

Rewrite (scan along dimension 1 of tensor<4x9x5xf32>):
    %o, %a = tm_tensor.scan dimension(1) ... ins(%x) outs(%y, %z)
  ->
    %o = scf.forall (%i) ... shared_outs(%s = %y) {           // dimensions that are not scanned
      %r = scf.for %k = 0 to 9 iter_args(%t, %acc) {          // the scanned one
        %acc' = combine(%acc, slice of %x); insert %acc' into slice %k of %t }
      scf.forall.in_parallel { insert %r into %s } }

A scan along memory goes by vectors instead (`vector_scan`).

Leaves: scf.forall, scf.for, linalg.generic, tensor slices.
"""

# No postponed annotations here: the dialect reads the field types from them.

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, scf, tensor, transform

from bellrock.dialects.extension import Bellrock, each_op, edits_in_place
from bellrock.dialects.grouping import defining_op
from bellrock.dialects.vector_scan import line_scan, lower_lines
from bellrock.errors import CompileError

TILE = "bellrock.tile"
_DYNAMIC = ir.ShapedType.get_dynamic_size()


@edits_in_place(lambda op, **given: _lower_scans(op, **given), options=("by_lines",))
class ScanToLoopsOp(Bellrock.Operation, name="scan_to_loops"):
    """Lower every `tm_tensor.scan` below the handle's ops (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]
    by_lines: ir.IntegerAttr
    """Whether each line is an iteration of a parallel loop, whatever the choice says."""


@edits_in_place(lambda op: each_op(op, "tm_tensor.scatter", _lower_scatter))
class ScatterToLoopsOp(Bellrock.Operation, name="scatter_to_loops"):
    """Lower every `tm_tensor.scatter` to a loop over its updates, in their order."""

    target: ext.Operand[transform.AnyOpType]


def _constant(value: int) -> ir.Value:
    return arith.ConstantOp(ir.IndexType.get(), value).result


def slice_of(
    source: ir.Value, offsets: list[int | ir.Value], sizes: list[int], keep: list[int]
) -> ir.Value:
    """Extract a unit-stride slice, dropping the dimensions that are not in `keep`."""
    kind = ir.RankedTensorType.get([sizes[d] for d in keep], source.type.element_type)
    static = [o if isinstance(o, int) else _DYNAMIC for o in offsets]
    dynamic = [o for o in offsets if not isinstance(o, int)]
    return tensor.ExtractSliceOp(
        kind, source, dynamic, [], [], static, sizes, [1] * len(sizes)
    ).result


def insert_slice(
    source: ir.Value, into: ir.Value, offsets: list[int | ir.Value], sizes: list[int]
) -> ir.Value:
    """Insert a unit-stride slice (of possibly lower rank) into a tensor."""
    static = [o if isinstance(o, int) else _DYNAMIC for o in offsets]
    dynamic = [o for o in offsets if not isinstance(o, int)]
    return tensor.InsertSliceOp(
        source, into, dynamic, [], [], static, sizes, [1] * len(sizes)
    ).result


def combine(block: ir.Block, arguments: list[ir.Value]) -> ir.Value:
    """Clone the combiner's body at the insertion point; returns what it yields."""
    mapping = dict(zip(block.arguments, arguments, strict=True))
    for op in block.operations:
        if op.operation.name in ("tm_tensor.yield", "linalg.yield"):
            value = op.operation.operands[0]
            return mapping.get(value, value)
        clone = op.operation.clone()
        for i, operand in enumerate(clone.operands):
            if operand in mapping:
                clone.operands[i] = mapping[operand]
        mapping.update(zip(op.operation.results, clone.results, strict=True))
    raise CompileError("a combiner has no yield", where=str(block.owner))


def elementwise(
    block: ir.Block, inputs: list[ir.Value], into: ir.Value, order: list[int]
) -> ir.Value:
    """Apply a scalar combiner to tensors of one shape.

    Args:
        block: the combiner; its arguments are `inputs` and `into` in the order `order`.
        inputs: tensors of the shape of `into`.
        into: destination, whose elements are the last argument.
        order: position of each of (*inputs, into) among the combiner's arguments.
    """
    rank = into.type.rank
    identity = ir.AffineMap.get_identity(rank)
    op = linalg.GenericOp(
        [into.type], inputs, [into],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(identity)] * (len(inputs) + 1)),
        ir.ArrayAttr.get([ir.Attribute.parse("#linalg.iterator_type<parallel>")] * rank),
    )  # fmt: skip
    element = into.type.element_type
    types = [v.type.element_type for v in inputs] + [element]
    body = op.regions[0].blocks.append(*types)
    with ir.InsertionPoint(body):
        arguments = list(body.arguments)
        linalg.YieldOp([combine(block, [arguments[order.index(i)] for i in range(len(order))])])
    return op.results[0]


def _lower_scans(root: ir.Operation, *, by_lines: int) -> None:
    each_op(root, "tm_tensor.scan", lambda op: _lower_scan(op, by_lines=bool(by_lines)))


def _lower_scan(op: ir.Operation, *, by_lines: bool) -> None:
    if any(True for _ in op.results[1].uses):
        raise CompileError("the final value of a scan is used", where=str(op.location))
    if by_lines:
        sizes = [1] * ir.RankedTensorType(op.operands[0].type).rank
        op.attributes[TILE] = ir.DenseI64ArrayAttr.get(sizes, op.context)
    lines = None if by_lines else line_scan(op)
    parallel = TILE in op.attributes and any(op.attributes[TILE])
    if lines is None or not (parallel or ir.RankedTensorType(op.operands[0].type).rank == 1):
        _lower_by_steps(op)
        return
    op.results[0].replace_all_uses_with(lower_lines(op, lines))
    op.erase()


def _lower_by_steps(op: ir.Operation) -> None:
    source, output = op.operands[0], _unfilled(op.operands[1])
    initial = op.operands[2]
    axis = ir.IntegerAttr(op.attributes["dimension"]).value
    inclusive = ir.BoolAttr(op.attributes["inclusive"]).value
    shape = list(source.type.shape)
    rest = [d for d in range(len(shape)) if d != axis]
    tile = list(op.attributes[TILE]) if TILE in op.attributes else [0] * len(shape)
    combiner = op.regions[0].blocks[0]
    looped = [d for d in rest if tile[d] and shape[d] % tile[d] == 0]
    sizes = [tile[d] if d in looped else shape[d] for d in range(len(shape))]

    def scan_block(target: ir.Value, ivs: dict[int, ir.Value]) -> ir.Value:
        """Scan one block of all lines; `target` has the shape `sizes`."""
        inner = [d for d in rest if sizes[d] != 1]
        line = [sizes[d] if d != axis else 1 for d in range(len(shape))]
        at: list[int | ir.Value] = [ivs.get(d, 0) for d in range(len(shape))]

        lower, upper, one = _constant(0), _constant(shape[axis]), _constant(1)
        if inclusive:
            start_at = [*at]
            start_at[axis] = 0
            first = _take(source, start_at, line, inner)
            target = _put(first, target, [0] * len(shape), line, inner)
            lower = one
        else:
            first = _take(initial, [at[d] for d in rest], [line[d] for d in rest],
                          [rest.index(d) for d in inner])  # fmt: skip
        loop = scf.ForOp(lower, upper, one, [target, _owned(first, inner)])
        with ir.InsertionPoint(loop.body):
            k, (out, acc) = loop.induction_variable, loop.inner_iter_args
            read_at, write_at = [*at], [0] * len(shape)
            read_at[axis], write_at[axis] = k, k
            value = _take(source, read_at, line, inner)
            if inner:
                new = elementwise(combiner, [value], acc, [1, 0])
            else:
                new = combine(combiner, [acc, value])
            out = _put(new if inclusive else acc, out, write_at, line, inner)
            scf.YieldOp([out, new])

        return loop.results[0]

    if not looped:
        op.results[0].replace_all_uses_with(scan_block(output, {}))
        op.erase()
        return
    forall = scf.ForallOp(
        [0] * len(looped), [shape[d] for d in looped], [tile[d] for d in looped], [output]
    )
    ivs = dict(zip(looped, forall.induction_variables, strict=True))
    with ir.InsertionPoint(forall.body):
        shared = forall.inner_iter_args[0]
        everything = list(range(len(shape)))
        at: list[int | ir.Value] = [ivs.get(d, 0) for d in everything]
        block = slice_of(shared, at, sizes, everything)
        done = scan_block(block, ivs)
        in_parallel = scf.InParallelOp()
        with ir.InsertionPoint(in_parallel.regions[0].blocks[0]):
            static = [o if isinstance(o, int) else _DYNAMIC for o in at]
            tensor.ParallelInsertSliceOp(
                done, shared, [o for o in at if not isinstance(o, int)], [], [],
                static, sizes, [1] * len(sizes),
            )  # fmt: skip
    op.results[0].replace_all_uses_with(forall.results[0])
    op.erase()


def _unfilled(value: ir.Value) -> ir.Value:
    """Return what was filled to make a tensor that is about to be written whole."""
    owner = defining_op(value)
    return owner.operands[1] if owner is not None and owner.name == "linalg.fill" else value


def _take(
    source: ir.Value, at: list[int | ir.Value], sizes: list[int], keep: list[int]
) -> ir.Value:
    """Read a slice as a tensor, or as a scalar where no dimension is kept."""
    if keep:
        return slice_of(source, at, sizes, keep)
    return tensor.ExtractOp(source, [_constant(o) if isinstance(o, int) else o for o in at]).result


def _put(
    value: ir.Value, into: ir.Value, at: list[int | ir.Value], sizes: list[int], keep: list[int]
) -> ir.Value:
    """Write what `_take` reads."""
    if keep:
        return insert_slice(value, into, at, sizes)
    indices = [_constant(o) if isinstance(o, int) else o for o in at]
    return tensor.InsertOp(value, into, indices).result


def _owned(value: ir.Value, keep: list[int]) -> ir.Value:
    """Copy a slice into a buffer of its own, since the loop overwrites it."""
    if not keep:
        return value
    empty = tensor.EmptyOp(list(value.type.shape), value.type.element_type).result
    return linalg.copy(value, outs=[empty])


def _lower_scatter(op: ir.Operation) -> None:
    updates, indices, original = op.operands[0], op.operands[1], op.operands[2]
    count, depth = indices.type.shape
    window = list(updates.type.shape)[1:]
    rank = original.type.rank
    dimension_map = list(op.attributes["dimension_map"])
    combiner = op.regions[0].blocks[0]
    loop = scf.ForOp(_constant(0), _constant(count), _constant(1), [original])
    with ir.InsertionPoint(loop.body):
        i, current = loop.induction_variable, loop.inner_iter_args[0]
        at: list[int | ir.Value] = [0] * rank
        for k in range(depth):
            index = tensor.ExtractOp(indices, [i, _constant(k)]).result
            at[dimension_map[k]] = arith.IndexCastOp(ir.IndexType.get(), index).result
        sizes = [1] * (rank - len(window)) + window
        keep = list(range(rank - len(window), rank))
        if keep:
            update = slice_of(
                updates, [i] + [0] * len(window), [1, *window], list(range(1, len(window) + 1))
            )
            old = slice_of(current, at, sizes, keep)
            new = elementwise(combiner, [update], old, [0, 1])
        else:
            update = _take(updates, [i], [1], [])
            new = combine(combiner, [update, _take(current, at, sizes, [])])
        scf.YieldOp([_put(new, current, at, sizes, keep)])
    op.results[0].replace_all_uses_with(loop.results[0])
    op.erase()


OPS = (ScanToLoopsOp, ScatterToLoopsOp)
