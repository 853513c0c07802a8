"""`transform.bellrock.sorts_to_loops`: torch-mlir's sort as a network of exchanges.

Flows in: `tm_tensor.sort` of one tensor, or of several by the first (torch.sort's values and
indices; topk and quantile are slices of one). Flows out: a parallel loop over lines; in a line,
Batcher's odd-even merging network for any length n, in place:

    for p = 1, 2, 4 ... < n:                    // runs of p are sorted; now pairs of them merge
      for k = p, p/2 ... 1:
        for j = k mod p to n - k step 2k:
          for i = 0 to min(k, n - k - j):
            exchange lines[j + i] and lines[j + i + k] if they are out of order
                and (j + i) / 2p == (j + i + k) / 2p

n (log n)^2 / 4 exchanges without a branch, each loop over i by vectors; no memory beside the
line, so that it fits a work-item of a GPU as well as a core.

Networks are not stable; positions that are sorted along make them so (`sort_order`). Where only the
first few of each line are read, these are selected, and nothing is sorted (`few_first`).
"""

# No postponed annotations here: the dialect reads the field types from them.

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, scf, tensor, transform

from bellrock.dialects.extension import Bellrock, each_op, edits_in_place
from bellrock.dialects.few_first import Lines, body_of_positions, few_of, select_lines
from bellrock.dialects.sequential_loops import slice_of
from bellrock.dialects.sort_order import comes_first

_DYNAMIC = ir.ShapedType.get_dynamic_size()


@edits_in_place(lambda op: each_op(op, "tm_tensor.sort", _lower_sort))
class SortsToLoopsOp(Bellrock.Operation, name="sorts_to_loops"):
    """Lower every `tm_tensor.sort` below the handle's ops (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _lower_sort(op: ir.Operation) -> None:
    axis = ir.IntegerAttr(op.attributes["dimension"]).value
    rank = ir.RankedTensorType(op.operands[0].type).rank
    last = [d for d in range(rank) if d != axis] + [axis]
    back = [last.index(d) for d in range(rank)]
    moved = axis != rank - 1
    wanted = _drop_unused(op)
    sources = [op.operands[i] for i in wanted]
    lines = [_transposed(v, last) if moved else v for v in sources]
    few = few_of(op, [op.results[i] for i in wanted])
    if few is None:
        done = _sort_lines(op, lines)
    else:
        bodies = [body_of_positions(v) for v in sources]
        made = [Lines(v, body, axis) for v, body in zip(lines, bodies, strict=True)]
        done = select_lines(op.regions[0].blocks[0], made, few, _network)
    for old, new in zip([op.results[i] for i in wanted], done, strict=True):
        old.replace_all_uses_with(_transposed(new, back) if moved else new)
    op.erase()


def _drop_unused(op: ir.Operation) -> list[int]:
    """Drop arguments of the region whose tensors nobody reads sorted; returns those that stay.

    Without its positions, nothing tells equal elements apart.
    """
    before, wanted = op.regions[0].blocks[0], []
    for i in reversed(range(len(op.results))):
        pair = [before.arguments[2 * i], before.arguments[2 * i + 1]]
        if i == 0 or any(any(True for _ in v.uses) for v in (op.results[i], *pair)):
            wanted.insert(0, i)
        else:
            before.erase_argument(2 * i + 1)
            before.erase_argument(2 * i)
    return wanted


def _transposed(value: ir.Value, order: list[int]) -> ir.Value:
    kind = ir.RankedTensorType(value.type)
    empty = tensor.EmptyOp([kind.shape[d] for d in order], kind.element_type).result
    return linalg.transpose(value, outs=[empty], permutation=order).operation.results[0]


def _sort_lines(op: ir.Operation, sources: list[ir.Value]) -> list[ir.Value]:
    """Sort tensors along their last dimension, each line in an iteration of a parallel loop."""
    kinds = [ir.RankedTensorType(value.type) for value in sources]
    *outer, length = kinds[0].shape
    before = op.regions[0].blocks[0]
    if all(size == 1 for size in outer):
        return _sort_one_line(before, sources, length)
    empties = [tensor.EmptyOp(list(k.shape), k.element_type).result for k in kinds]
    loop = scf.ForallOp([0] * len(outer), outer, [1] * len(outer), empties)
    sizes = [*([1] * len(outer)), length]
    at: list[int | ir.Value] = [*loop.induction_variables, 0]
    with ir.InsertionPoint(loop.body):
        shared = list(loop.inner_iter_args)
        lines = [
            _copied(*(slice_of(v, at, sizes, [len(outer)]) for v in (source, into)))
            for source, into in zip(sources, shared, strict=True)
        ]
        lines = _network(before, lines, length)
        with ir.InsertionPoint(scf.InParallelOp().regions[0].blocks[0]):
            for line, into in zip(lines, shared, strict=True):
                tensor.ParallelInsertSliceOp(
                    line, into, list(loop.induction_variables), [], [],
                    [*([_DYNAMIC] * len(outer)), 0], sizes, [1] * len(sizes),
                )  # fmt: skip
    return list(loop.results)


def _sort_one_line(before: ir.Block, sources: list[ir.Value], length: int) -> list[ir.Value]:
    """Sort tensors of a single line: no loop around it, which would be folded into the host."""
    lines = []
    for value in sources:
        kind = ir.RankedTensorType(value.type)
        line_type = ir.RankedTensorType.get([length], kind.element_type)
        line = value
        if kind.rank > 1:
            line = tensor.CollapseShapeOp(line_type, value, [list(range(kind.rank))]).result
        lines.append(_copied(line, tensor.EmptyOp([length], kind.element_type).result))
    done = _network(before, lines, length)
    return [
        _expanded(line, ir.RankedTensorType(value.type))
        for line, value in zip(done, sources, strict=True)
    ]


def _expanded(line: ir.Value, kind: ir.RankedTensorType) -> ir.Value:
    if kind.rank == 1:
        return line
    shape = list(kind.shape)
    return tensor.ExpandShapeOp(kind, line, [list(range(kind.rank))], [], shape).result


def _copied(source: ir.Value, into: ir.Value) -> ir.Value:
    return linalg.copy(source, outs=[into])


def _network(before: ir.Block, lines: list[ir.Value], length: int) -> list[ir.Value]:
    """Emit the loops over exchanges; their names are those of the module's docstring."""
    zero, one, n = _index(0), _index(1), _index(length)
    sizes = scf.ForOp(zero, _index(max(0, (length - 1).bit_length())), one, lines)
    with ir.InsertionPoint(sizes.body):
        p = arith.ShLIOp(one, sizes.induction_variable).result
        steps = scf.ForOp(
            zero, arith.AddIOp(sizes.induction_variable, one).result, one,
            list(sizes.inner_iter_args),
        )  # fmt: skip
        with ir.InsertionPoint(steps.body):
            k = arith.ShRUIOp(p, steps.induction_variable).result
            end = arith.SubIOp(n, k).result
            runs = scf.ForOp(
                arith.RemUIOp(k, p).result, end, arith.AddIOp(k, k).result,
                list(steps.inner_iter_args),
            )  # fmt: skip
            with ir.InsertionPoint(runs.body):
                j = runs.induction_variable
                count = arith.MinUIOp(k, arith.SubIOp(end, j).result).result
                pairs = scf.ForOp(zero, count, one, list(runs.inner_iter_args))
                with ir.InsertionPoint(pairs.body):
                    a = arith.AddIOp(j, pairs.induction_variable).result
                    b = arith.AddIOp(a, k).result
                    run = arith.AddIOp(sizes.induction_variable, one).result
                    differing = arith.ShRUIOp(arith.XOrIOp(a, b).result, run).result
                    together = arith.CmpIOp(arith.CmpIPredicate.eq, differing, zero).result
                    scf.YieldOp(_exchange(before, list(pairs.inner_iter_args), a, b, together))
                scf.YieldOp(list(pairs.results))
            scf.YieldOp(list(runs.results))
        scf.YieldOp(list(steps.results))
    return list(sizes.results)


def _exchange(
    before: ir.Block, lines: list[ir.Value], a: ir.Value, b: ir.Value, allowed: ir.Value
) -> list[ir.Value]:
    """Put elements `a` and `b` of all lines in order, if `allowed`."""
    lows = [tensor.ExtractOp(line, [a]).result for line in lines]
    highs = [tensor.ExtractOp(line, [b]).result for line in lines]
    swap = arith.AndIOp(allowed, comes_first(before, highs, lows)).result
    done = []
    for line, low, high in zip(lines, lows, highs, strict=True):
        line_a = tensor.InsertOp(arith.SelectOp(swap, high, low).result, line, [a]).result
        done.append(tensor.InsertOp(arith.SelectOp(swap, low, high).result, line_a, [b]).result)
    return done


def _index(value: int) -> ir.Value:
    return arith.ConstantOp(ir.IndexType.get(), value).result


OPS = (SortsToLoopsOp,)
