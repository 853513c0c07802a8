"""`transform.bellrock.item_loops`: linalg on buffers as loops whose iterations are work-items.

Missing upstream: `convert-linalg-to-parallel-loops` keeps a reduction's result in memory from
iteration to iteration, and nests a parallel loop that comes after a reduction inside of it. Here
the parallel loops come first, the one along memory innermost, so that neighbouring work-items
touch neighbouring memory; each iteration of them reduces in registers and writes once. A long sum
is made of sums of pieces.

Rewrite:
    linalg.generic (m, n, k reduce) ins(%a, %b) outs(%c) { %c + %a * %b }
  ->
    scf.parallel (%m, %n) {
      %z = memref.load %c[%m, %n]
      %r = scf.for %k iter_args(%s = %z) { ... %s + %a * %b }
      memref.store %r, %c[%m, %n] }

Below a parallel loop, where an iteration is a work-item already, the loops are sequential.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import affine, arith, ext, memref, scf, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index, iterators
from bellrock.dialects.loop_order import operand_strides
from bellrock.dialects.split_reductions import combiner_of, neutral_of
from bellrock.errors import CompileError

_PARALLEL = {"scf.parallel", "scf.forall", "gpu.launch"}
_DYNAMIC = ir.ShapedType.get_dynamic_size()


@edits_in_place(lambda op: _lower_all(op))
class ItemLoopsOp(Bellrock.Operation, name="item_loops"):
    """Lower the linalg ops below the handle's ops (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _lower_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        with ir.InsertionPoint(op), op.location:
            Nest(op).emit(parallel=not is_below_parallel(op))
        op.erase()


def is_below_parallel(op: ir.Operation) -> bool:
    """Whether an op runs in a work-item of a loop around it."""
    parent = op.parent
    while parent is not None:
        if parent.operation.name in _PARALLEL:
            return True
        parent = parent.operation.parent
    return False


def _known(bound: ir.Value) -> int:
    """Return a number of iterations; one too large for anything where it is not known."""
    op = bound.owner.operation
    return ir.IntegerAttr(op.attributes["value"]).value if op.name == "arith.constant" else 1 << 31


def index_constant(value: int) -> ir.Value:
    """Return a constant of index type, made at the insertion point."""
    return arith.ConstantOp(ir.IndexType.get(), value).result


def parallel_loop(bounds: Sequence[ir.Value]) -> tuple[scf.ParallelOp, ir.Block]:
    """Make a parallel loop from 0 to each of the bounds; returns it with its empty body."""
    zero, one = index_constant(0), index_constant(1)
    loop = scf.ParallelOp([], [zero] * len(bounds), list(bounds), [one] * len(bounds), [])
    return loop, loop.regions[0].blocks.append(*[ir.IndexType.get()] * len(bounds))


class Nest:
    """The loops of one generic."""

    def __init__(self, op: ir.Operation) -> None:
        """Take a generic on buffers."""
        self._op = op
        self._maps = maps_of(op)
        self._kinds = iterators(op)
        self._block = op.regions[0].blocks[0]
        self._outputs = range(init_index(op), len(op.operands))
        self._at: dict[int, ir.Value] = {}
        """Loop -> where its iteration stands."""

    def emit(self, *, parallel: bool) -> None:
        """Emit the loops at the insertion point."""
        bounds = {d: self._bound(d) for d in range(len(self._kinds))}
        outer = self._parallel_order()
        if not parallel or not outer:
            self._sequential(outer, bounds)
            return
        _, body = parallel_loop([bounds[d] for d in outer])
        self._at.update(zip(outer, body.arguments, strict=True))
        with ir.InsertionPoint(body):
            self._item(bounds)
            scf.ReduceOp([], 0)

    def _sequential(self, left: list[int], bounds: dict[int, ir.Value]) -> None:
        if not left:
            self._item(bounds)
            return
        loop = scf.ForOp(index_constant(0), bounds[left[0]], index_constant(1))
        self._at[left[0]] = loop.induction_variable
        with ir.InsertionPoint(loop.body):
            self._sequential(left[1:], bounds)
            scf.YieldOp([])

    def _item(self, bounds: dict[int, ir.Value]) -> None:
        """Emit one work-item: read what is carried, reduce, write."""
        carried = [self._read(i) for i in self._outputs]
        inner = [d for d, kind in enumerate(self._kinds) if kind == "reduction"]
        for i, value in zip(self._outputs, self._reduce(inner, bounds, carried), strict=True):
            memref.StoreOp(value, self._op.operands[i], self._place(i))

    def _reduce(
        self, left: list[int], bounds: dict[int, ir.Value], carried: list[ir.Value]
    ) -> list[ir.Value]:
        if not left:
            return self._body(carried)
        combiner = combiner_of(self._op, indices=True)
        sizes = [_known(bounds[d]) for d in left]
        if combiner is None or combiner.name != "arith.addf" or math.prod(sizes) <= LONGEST_SUM:
            loop = scf.ForOp(index_constant(0), bounds[left[0]], index_constant(1), carried)
            self._at[left[0]] = loop.induction_variable
            with ir.InsertionPoint(loop.body):
                scf.YieldOp(self._reduce(left[1:], bounds, list(loop.inner_iter_args)))
            return list(loop.results)
        return self._sum_of_sums(left, bounds, carried, combiner)

    def _sum_of_sums(
        self, left: list[int], bounds: dict[int, ir.Value], carried: list[ir.Value],
        combiner: ir.Operation,
    ) -> list[ir.Value]:  # fmt: skip
        """Add up sums of pieces, each of its own: their rounding errors do not grow with all."""
        size = bounds[left[0]]
        step = 1 if len(left) > 1 else _PIECE
        start = [neutral_of(combiner.name, carried[0].type)]
        loop = scf.ForOp(index_constant(0), size, index_constant(step), carried)
        with ir.InsertionPoint(loop.body):
            first = loop.induction_variable
            if len(left) > 1:
                self._at[left[0]] = first
                (part,) = self._reduce(left[1:], bounds, start)
            else:
                end = arith.MinUIOp(arith.AddIOp(first, index_constant(step)).result, size).result
                piece = scf.ForOp(first, end, index_constant(1), start)
                self._at[left[0]] = piece.induction_variable
                with ir.InsertionPoint(piece.body):
                    scf.YieldOp(self._body(list(piece.inner_iter_args)))
                part = piece.results[0]
            total = combiner.clone().operation
            total.operands[0], total.operands[1] = loop.inner_iter_args[0], part
            scf.YieldOp(list(total.results))
        return list(loop.results)

    def _body(self, carried: list[ir.Value]) -> list[ir.Value]:
        """Clone the generic's body at the insertion point; returns what it yields."""
        mapping: dict[ir.Value, ir.Value] = {}
        for i, argument in enumerate(self._block.arguments):
            if i in self._outputs:
                mapping[argument] = carried[i - self._outputs.start]
            elif list(argument.uses):
                mapping[argument] = self._read(i)
        for op in self._block.operations:
            if op.operation.name == "linalg.yield":
                return [mapping.get(v, v) for v in op.operation.operands]
            clone_into(op.operation, mapping, self._at)
        raise CompileError("the body of an op has no yield", got=str(self._op)[:200])

    def _read(self, i: int) -> ir.Value:
        value = self._op.operands[i]
        if not isinstance(value.type, ir.MemRefType):
            return value
        return memref.LoadOp(value, self._place(i)).result

    def _place(self, i: int) -> list[ir.Value]:
        """Return the indices of an operand's element."""
        access = self._maps[i]
        dims = [self._at.get(d) for d in range(access.n_dims)]
        found: list[ir.Value] = []
        for expr in access.results:
            if isinstance(expr, ir.AffineDimExpr):
                found.append(self._at[expr.position])
            else:
                given = [index_constant(0) if d is None else d for d in dims]
                one = ir.AffineMap.get(access.n_dims, 0, [expr])
                found.append(affine.AffineApplyOp(one, given).result)
        return found

    def _bound(self, loop: int) -> ir.Value:
        for value, access in zip(self._op.operands, self._maps, strict=True):
            for d, expr in enumerate(access.results):
                if isinstance(expr, ir.AffineDimExpr) and expr.position == loop:
                    size = ir.MemRefType(value.type).shape[d]
                    if size != _DYNAMIC:
                        return index_constant(size)
                    return memref.DimOp(value, index_constant(d)).result
        raise CompileError("a loop has no bound", got=str(self._op)[:200])

    def _parallel_order(self) -> list[int]:
        """Return the parallel loops in their order, but for the one along memory: it is last."""
        loops = [d for d, kind in enumerate(self._kinds) if kind == "parallel"]
        strides = [
            operand_strides(v, m) for v, m in zip(self._op.operands, self._maps, strict=True)
        ]
        known = [s for s in strides if s is not None]
        if not loops or not known:
            return loops
        # A stride beyond a cache line costs the same however long; ties go to the innermost loop.
        best = min(reversed(loops), key=lambda d: sum(min(s[d], _FAR) for s in known))
        return [d for d in loops if d != best] + [best]


LONGEST_SUM = 512
"""Iterations of a sum that one work-item makes in one go: beyond, rounding errors grow with it."""
_PIECE = 128
_FAR = 16
"""Elements between work-items from which on each of them fetches a cache line of its own."""


def clone_into(
    op: ir.Operation, mapping: dict[ir.Value, ir.Value], at: dict[int, ir.Value]
) -> None:
    """Clone an op of a generic's body at the insertion point, with new operands.

    Args:
        op: an op that may have regions.
        mapping: old values -> new ones; gains the op's results.
        at: what to put for `linalg.index`, by loop.
    """
    if op.name == "linalg.index":
        mapping[op.results[0]] = at[ir.IntegerAttr(op.attributes["dim"]).value]
        return
    clone = op.clone()

    def renew(inner: ir.Operation) -> ir.WalkResult:
        for i, operand in enumerate(inner.operands):
            if operand in mapping:
                inner.operands[i] = mapping[operand]
        return ir.WalkResult.ADVANCE

    clone.operation.walk(renew)
    for index in ops_named(clone.operation, "linalg.index"):
        index.results[0].replace_all_uses_with(at[ir.IntegerAttr(index.attributes["dim"]).value])
        index.erase()
    mapping.update(zip(op.results, clone.operation.results, strict=True))


OPS = (ItemLoopsOp,)
