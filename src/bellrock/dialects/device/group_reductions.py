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
from torch_mlir.dialects import arith, ext, gpu, memref, scf, transform

from bellrock.dialects.device.grid import SUB_GROUP, Group, delinearized, launch_of, move_in
from bellrock.dialects.device.item_loops import Nest, index_constant, is_below_parallel
from bellrock.dialects.device.launches import GROUP
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.grouping import init_index, iterators
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.split_reductions import along_memory, combiner_of, neutral_of

SHORTEST = 2 * SUB_GROUP
"""Iterations from which on a result is worth a sub-group."""
LOCAL = 3
"""Memory space of a work-group's local memory."""
LONGEST_CHAIN = 1024
"""Iterations of one work-item."""
MOST_ITEMS = SUB_GROUP * SUB_GROUP
"""Of a row: the lanes of a sub-group combine the parts of its sub-groups."""
_LONG_LOOP = 4
"""Turns of a loop by itself; a shorter one is run through together with those around it."""


@edits_in_place(lambda op: _reduce_all(op))
class ReduceByGroupsOp(Bellrock.Operation, name="reduce_by_groups"):
    """Let groups reduce, where the choice of the handle's functions says so."""

    target: ext.Operand[transform.AnyOpType]


def _reduce_all(function: ir.Operation) -> None:
    group = Group()
    if GROUP in function.attributes:
        group = Group(*ir.DenseI64ArrayAttr(function.attributes[GROUP]))
    for op in ops_named(function, "linalg.generic"):
        row = _row_of(op, group)
        if row is not None:
            with ir.InsertionPoint(op), op.location:
                _Row(op, row).emit_launch()
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
    items = group.row_items
    while reduced > LONGEST_CHAIN * items and items < MOST_ITEMS:
        items *= 4 if items > 1 else SUB_GROUP
    if items < SUB_GROUP:
        return None
    while items > SUB_GROUP and items > reduced // 2:
        items //= 2
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


class _Row(Nest):
    """The loops of one reduction, whose iterations are dealt to work-items."""

    def __init__(self, op: ir.Operation, shape: _Shape) -> None:
        super().__init__(op)
        self._shape = shape
        combiner = combiner_of(op)
        assert combiner is not None
        self._combiner: ir.Operation = combiner

    def emit_launch(self) -> None:
        """Emit the launch at the insertion point."""
        shape, kinds = self._shape, self._kinds
        outer = [d for d, kind in enumerate(kinds) if kind == "parallel"]
        results = math.prod(shape.sizes[d] for d in outer)
        size = shape.rows * shape.items
        local = self._local_buffer(size) if shape.items > SUB_GROUP else None
        launch = launch_of(index_constant(-(-results // shape.rows)), size)
        block = launch.regions[0].blocks[0]
        with ir.InsertionPoint(block):
            thread = block.arguments[3]
            lane = arith.RemUIOp(thread, index_constant(shape.items)).result
            row = arith.DivUIOp(thread, index_constant(shape.items)).result
            first = arith.MulIOp(block.arguments[0], index_constant(shape.rows)).result
            row = arith.AddIOp(first, row).result
            last = index_constant(results - 1)
            # All work-items come to barriers and shuffles: those beyond the end do the last again.
            known = arith.MinUIOp(row, last).result if results % shape.rows else row
            self._at.update(
                zip(outer, delinearized(known, [shape.sizes[d] for d in outer]), strict=True)
            )
            total = self._across_group(self._partial(lane), thread, local)
            self._write(total, lane, row, results)
            gpu.TerminatorOp()
        move_in(launch.operation)

    def _local_buffer(self, size: int) -> tuple[ir.MemRefType, str]:
        """Declare local memory of a value for each sub-group; return its type and name."""
        element = ir.MemRefType(self._op.operands[self._outputs.start].type).element_type
        kind = ir.MemRefType.get(
            [size // SUB_GROUP], element,
            memory_space=ir.IntegerAttr.get(ir.IntegerType.get_signless(64), LOCAL),
        )  # fmt: skip
        top = self._op
        while top.parent is not None:
            top = top.parent.operation
        body = top.regions[0].blocks[0]
        name = f"local_{len(ops_named(top, 'memref.global'))}"
        with ir.InsertionPoint.at_block_begin(body):
            memref.GlobalOp(name, kind, sym_visibility="private", initial_value=ir.UnitAttr.get())
        return kind, name

    def _partial(self, lane: ir.Value) -> ir.Value:
        """Reduce a work-item's share of the iterations."""
        inner = [d for d, kind in enumerate(self._kinds) if kind == "reduction"]
        sizes = [self._shape.sizes[d] for d in inner]
        element = ir.MemRefType(self._op.operands[self._outputs.start].type).element_type
        start = [neutral_of(self._combiner.name, element)]
        if len(inner) > 1 and sizes[-1] < _LONG_LOOP * self._shape.items:
            (found,) = self._shared_loop(inner, math.prod(sizes), lane, start)
        else:
            (found,) = self._nested(inner, lane, start)
        return found

    def _shared_loop(
        self, loops: list[int], count: int, lane: ir.Value, carried: list[ir.Value]
    ) -> list[ir.Value]:
        """Run through loops as one, from the lane on in steps of the result's work-items."""
        step = index_constant(self._shape.items)
        loop = scf.ForOp(lane, index_constant(count), step, carried)
        with ir.InsertionPoint(loop.body):
            numbers = [loop.induction_variable]
            if len(loops) > 1:
                numbers = delinearized(numbers[0], [self._shape.sizes[d] for d in loops])
            self._at.update(zip(loops, numbers, strict=True))
            scf.YieldOp(self._body(list(loop.inner_iter_args)))
        return list(loop.results)

    def _nested(self, left: list[int], lane: ir.Value, carried: list[ir.Value]) -> list[ir.Value]:
        """Run through loops, the last of them shared."""
        size = self._shape.sizes[left[0]]
        if len(left) == 1:
            return self._shared_loop(left, size, lane, carried)
        loop = scf.ForOp(index_constant(0), index_constant(size), index_constant(1), carried)
        self._at[left[0]] = loop.induction_variable
        with ir.InsertionPoint(loop.body):
            scf.YieldOp(self._nested(left[1:], lane, list(loop.inner_iter_args)))
        return list(loop.results)

    def _across_group(
        self, value: ir.Value, thread: ir.Value, local: tuple[ir.MemRefType, str] | None
    ) -> ir.Value:
        """Combine the values of a result's work-items; each of them has the result."""
        value = self._across_lanes(value, SUB_GROUP)
        if local is None:
            return value
        buffer = memref.GetGlobalOp(*local).result
        lane = arith.RemUIOp(thread, index_constant(SUB_GROUP)).result
        own = arith.DivUIOp(thread, index_constant(SUB_GROUP)).result
        first = arith.CmpIOp(arith.CmpIPredicate.eq, lane, index_constant(0)).result
        branch = scf.IfOp(first)
        with ir.InsertionPoint(branch.then_block):
            memref.StoreOp(value, buffer, [own])
            scf.YieldOp([])
        gpu.BarrierOp()
        # A power of two up to a sub-group: its lanes read the parts of all, some of them twice.
        parts = self._shape.items // SUB_GROUP
        count = index_constant(parts)
        start = arith.SubIOp(own, arith.RemUIOp(own, count).result).result
        part = arith.AddIOp(start, arith.RemUIOp(lane, count).result).result
        return self._across_lanes(memref.LoadOp(buffer, [part]).result, parts)

    def _across_lanes(self, value: ir.Value, count: int) -> ir.Value:
        """Combine the values of so many neighbouring lanes, a power of two."""
        step = count // 2
        while step:
            value = self._combine(value, _exchanged(value, step))
            step //= 2
        return value

    def _combine(self, first: ir.Value, second: ir.Value) -> ir.Value:
        clone = self._combiner.clone()
        clone.operation.operands[0], clone.operation.operands[1] = first, second
        return clone.operation.results[0]

    def _write(self, total: ir.Value, lane: ir.Value, row: ir.Value, results: int) -> None:
        """Write a result once, if there is such a one."""
        writes = arith.CmpIOp(arith.CmpIPredicate.eq, lane, index_constant(0)).result
        if results % self._shape.rows:
            inside = arith.CmpIOp(arith.CmpIPredicate.ult, row, index_constant(results)).result
            writes = arith.AndIOp(writes, inside).result
        output = self._outputs.start
        branch = scf.IfOp(writes)
        with ir.InsertionPoint(branch.then_block):
            value = self._combine(self._read(output), total)
            memref.StoreOp(value, self._op.operands[output], self._place(output))
            scf.YieldOp([])


def _exchanged(value: ir.Value, step: int) -> ir.Value:
    """Return the value of the lane whose number differs by a power of two in that bit."""
    kind, i32 = value.type, ir.IntegerType.get_signless(32)
    narrow = kind.width < 32
    bits = ir.IntegerType.get_signless(kind.width)
    if narrow:
        given = arith.BitcastOp(bits, value).result if isinstance(kind, ir.FloatType) else value
        value = arith.ExtUIOp(i32, given).result
    offset, width = (arith.ConstantOp(i32, number).result for number in (step, SUB_GROUP))
    found = gpu.ShuffleOp(value, offset, width, gpu.ShuffleMode.XOR).results[0]
    if narrow:
        found = arith.TruncIOp(bits, found).result
        found = arith.BitcastOp(kind, found).result if isinstance(kind, ir.FloatType) else found
    return found


OPS = (ReduceByGroupsOp,)
