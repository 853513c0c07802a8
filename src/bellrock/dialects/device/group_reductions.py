"""`transform.bellrock.reduce_by_groups`: work-items of a group reduce one result together.

Missing upstream: `gpu.all_reduce` and `gpu.subgroup_reduce` reduce one value of each work-item;
what deals a reduction's loops to work-items, so that neighbours read neighbouring memory, is not
there.

Rewrite, where 64 work-items share a result and a group has 256:
    linalg.generic (r parallel, k reduce) ins(%x) outs(%y) { combine %y, f(%x) }
  ->
    gpu.launch groups of 256 {
      %r, %lane = thread / 64, thread % 64
      %p = scf.for %k = %lane to 1000 step 64 iter_args(neutral) { combine, f(%x[%r, %k]) }
      %p = combine of sub-groups: gpu.shuffle xor 8, 4, 2, 1
      local[thread / 16] = %p; gpu.barrier; %p = combine of the result's four sub-groups
      if %lane == 0: %y[%r] = combine %y[%r], %p }

A reduction that would be a long chain in each work-item is shared by more of them, whatever was
chosen for the kernel: its rounding error grows with the chain.

Leaves alone: what does not reduce along memory (a work-item for each result then reads beside its
neighbours), short reductions, combiners without a neutral element.
"""

# No postponed annotations here: the dialect reads the field types from them.

import math
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import ext, gpu, transform

from bellrock.dialects.device.grid import SUB_GROUP, Group, delinearized, launch_of, move_in
from bellrock.dialects.device.item_loops import index_constant, is_below_parallel
from bellrock.dialects.device.launches import group_of
from bellrock.dialects.device.row_items import RowItems, items_for
from bellrock.dialects.device.row_nest import SHORTEST, RowNest
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.grouping import init_index, iterators
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.split_reductions import along_memory, combiner_of


@edits_in_place(lambda op: _reduce_all(op))
class ReduceByGroupsOp(Bellrock.Operation, name="reduce_by_groups"):
    """Let groups reduce, where the choice of the handle's functions says so."""

    target: ext.Operand[transform.AnyOpType]


def _reduce_all(function: ir.Operation) -> None:
    group = group_of(function)
    for op in ops_named(function, "linalg.generic"):
        row = _row_of(op, group)
        if row is not None:
            with ir.InsertionPoint(op), op.location:
                _launch(op, row)
            op.erase()


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a reduction is dealt out."""

    sizes: dict[int, int]
    """Of the loops."""
    items: int
    """Work-items of a result."""
    rows: int
    """Results of a group."""


def _row_of(op: ir.Operation, group: Group) -> _Shape | None:
    """Return how groups reduce an op, None if a work-item for each result is better."""
    if combiner_of(op) is None or is_below_parallel(op) or not _in_memory(op):
        return None
    kinds, sizes = iterators(op), loop_sizes(op)
    if len(sizes) < len(kinds) or min(sizes.values()) < 1 or not along_memory(op):
        return None
    reduced = math.prod(sizes[d] for d, kind in enumerate(kinds) if kind == "reduction")
    results = math.prod(sizes[d] for d, kind in enumerate(kinds) if kind == "parallel")
    if reduced < SHORTEST:
        return None
    items = items_for(group.row_items, reduced)
    if items < SUB_GROUP:
        return None
    rows = max(1, group.size // items)
    while rows > results:
        rows //= 2
    return _Shape(sizes=sizes, items=items, rows=max(1, rows))


def _in_memory(op: ir.Operation) -> bool:
    """Whether the result is a buffer of elements that local memory and shuffles take."""
    kind = op.operands[init_index(op)].type
    if not isinstance(kind, ir.MemRefType):
        return False
    element = kind.element_type
    return isinstance(element, (ir.IntegerType, ir.FloatType)) and element.width >= 8


def _launch(op: ir.Operation, shape: _Shape) -> None:
    """Emit the launch of one reduction at the insertion point."""
    outer = [d for d, kind in enumerate(iterators(op)) if kind == "parallel"]
    sizes = [shape.sizes[d] for d in outer]
    results = math.prod(sizes)
    launch = launch_of(index_constant(-(-results // shape.rows)), shape.rows * shape.items)
    with ir.InsertionPoint(launch.regions[0].blocks[0]):
        items, row = RowItems.of(launch, shape.items, shape.rows, results)
        at = dict(zip(outer, delinearized(row, sizes), strict=True))
        RowNest(op, items, at).emit_pass(own=set(), shared=set())
        gpu.TerminatorOp()
    move_in(launch.operation)


OPS = (ReduceByGroupsOp,)
