"""`transform.bellrock.launch_rows`: all passes over a row are one launch, with barriers between.

Missing upstream: a `scf.forall` over rows becomes a work-item for each iteration, which goes over
its row alone. Here a row has as many work-items as share it (`row_items`): each op on it is a pass
that they make together, and a barrier orders passes of which one reads what another wrote.

Rewrite, where 64 work-items have a row and a group has four rows (softmax):
    scf.forall (%r) in (1000) {
      linalg.fill %m; linalg.generic (maximum) ins(%x[%r]) outs(%m)
      linalg.fill %s; linalg.generic (sum of exponentials) ins(%x[%r], %m) outs(%s)
      linalg.generic (quotient) ins(%x[%r], %m, %s) outs(%y[%r]) }
  ->
    gpu.launch groups of 256, 250 of them {
      %r, %lane = ...
      %m = maximum of every 64-th element from %lane on, combined by shuffles and local memory
      %s = the sum, likewise
      for every 64-th element: %y[%r, ..] = ... }

Numbers of a row are each work-item's own (registers). What is larger is in local memory while it
fits, else in a buffer of the device. A scan of a row is a pass, too (`row_scan`).

Leaves alone, for a work-item each: rows whose neighbours lie side by side in memory (columns), or
that are short; bodies with anything else in them.
"""

# No postponed annotations here: the dialect reads the field types from them.

import math

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, gpu, memref, scf, transform

from bellrock.dialects.device.grid import delinearized, launch_of, move_in
from bellrock.dialects.device.item_loops import index_constant, is_below_parallel
from bellrock.dialects.device.launches import group_of
from bellrock.dialects.device.private import bytes_of
from bellrock.dialects.device.row_items import RowItems, barrier, local_buffer
from bellrock.dialects.device.row_nest import RowNest
from bellrock.dialects.device.row_passes import RowPlan, root_of, row_plan
from bellrock.dialects.device.row_scan import emit_scan, scan_of
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named

LOCAL_BYTES = 32 << 10
"""Of a group's rows in local memory: some groups share what an Xe-core has."""
_ALIGNMENT = 64


@edits_in_place(lambda op: _launch_all(op))
class LaunchRowsOp(Bellrock.Operation, name="launch_rows"):
    """Launch the loops over rows in the handle's functions (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _launch_all(function: ir.Operation) -> None:
    for forall in ops_named(function, "scf.forall"):
        plan = None if is_below_parallel(forall) else row_plan(forall, group_of(function))
        if plan is not None:
            with ir.InsertionPoint(forall), forall.location:
                _Launch(forall, plan).emit()
            forall.erase()


class _Launch:
    """The launch of one loop over rows."""

    def __init__(self, forall: ir.Operation, plan: RowPlan) -> None:
        self._forall = forall
        self._plan = plan
        self._local = 0
        """Bytes of a row in local memory."""
        self._own: set[ir.Value] = set()
        self._shared: set[ir.Value] = set()
        self._scratch: list[ir.Value] = []
        self._read: set[ir.Value] = set()
        self._written: set[ir.Value] = set()
        """Since the last barrier: buffers that are not each work-item's own."""

    def emit(self) -> None:
        """Emit the launch at the insertion point; takes the loop's body."""
        plan = self._plan
        body = self._forall.regions[0].blocks[0]
        ops = [op.operation for op in body.operations][:-1]
        rows = self._rows_of_group(ops)
        launch = launch_of(index_constant(-(-plan.total // rows)), rows * plan.items)
        with ir.InsertionPoint(launch.regions[0].blocks[0]):
            self._items, row = RowItems.of(launch, plan.items, rows, plan.total)
            numbers = delinearized(row, plan.counts)
            for argument, number in zip(body.arguments, numbers, strict=True):
                argument.replace_all_uses_with(number)
            end = gpu.TerminatorOp().operation
        for op in ops:
            op.move_before(end)
        self._launch = launch
        for op in ops:
            with ir.InsertionPoint(op), op.location:
                self._emit_op(op)
        for buffer in self._scratch:
            with ir.InsertionPoint.after(self._forall), self._forall.location:
                memref.DeallocOp(buffer)
        move_in(launch.operation)

    def _rows_of_group(self, ops: list[ir.Operation]) -> int:
        arrays = [_bytes(op) for op in ops if op.name == "memref.alloc"]
        of_row = sum(size for size in arrays if 0 < size <= LOCAL_BYTES)
        rows = self._plan.rows
        while rows > 1 and rows * of_row > LOCAL_BYTES:
            rows //= 2
        return rows

    def _emit_op(self, op: ir.Operation) -> None:
        """Replace an op by what a work-item does of it."""
        if op.name == "memref.alloc":
            self._place(op)
        elif op.name == "memref.dealloc":
            op.erase()
        elif op.name == "linalg.generic":
            self._order(op)
            inits = len(op.operands) - len(_outputs(op))
            own = {v for v in list(op.operands)[inits:] if root_of(v) in self._own}
            shared = {v for v in list(op.operands)[inits:] if root_of(v) in self._shared}
            RowNest(op, self._items, {}).emit_pass(own=own, shared=shared)
            op.erase()
        elif op.name == "scf.for":
            self._order(op)
            scan = scan_of(op)
            assert scan is not None, "the plan has only such loops"
            emit_scan(scan, self._items)
            op.erase()
        elif op.name in ("memref.load", "memref.store"):
            self._order(op)
            if op.name == "memref.store" and root_of(op.operands[1]) not in self._own:
                branch = scf.IfOp(self._items.first_inside())
                with ir.InsertionPoint(branch.then_block):
                    end = scf.YieldOp([])
                op.move_before(end.operation)

    def _order(self, op: ir.Operation) -> None:
        """Put a barrier before a pass, where work-items read or overwrite what others touched."""
        read, written = touched(op)
        read -= self._own
        written -= self._own
        met = (read & self._written) | (written & (self._written | self._read))
        if met:
            barrier(everything=not met <= self._shared)
            if met <= self._shared:  # what is in the device's memory is not seen yet
                self._read -= self._shared
                self._written -= self._shared
            else:
                self._read, self._written = set(), set()
        self._read |= read
        self._written |= written

    def _place(self, op: ir.Operation) -> None:
        """Give a buffer of a row its place."""
        size = _bytes(op)
        if not size:
            self._own.add(op.results[0])
            return
        kind = ir.MemRefType(op.results[0].type)
        if (self._local + size) * self._items.rows <= LOCAL_BYTES:
            self._local += size
            new = self._in_local_memory(kind, size)
            self._shared.add(root_of(new))
        else:
            new = self._in_scratch(kind, size)
        op.results[0].replace_all_uses_with(new)
        op.erase()
        _retype(new)

    def _in_local_memory(self, kind: ir.MemRefType, size: int) -> ir.Value:
        i8 = ir.IntegerType.get_signless(8)
        whole, name = local_buffer(self._forall, [size * self._items.rows], i8)
        start = arith.MulIOp(self._items.slot(), index_constant(size)).result
        part = ir.MemRefType.get(kind.shape, kind.element_type, memory_space=whole.memory_space)
        return memref.ViewOp(part, memref.GetGlobalOp(whole, name).result, start, []).result

    def _in_scratch(self, kind: ir.MemRefType, size: int) -> ir.Value:
        i8 = ir.IntegerType.get_signless(8)
        groups = -(-self._plan.total // self._items.rows)
        whole = ir.MemRefType.get([groups * self._items.rows * size], i8)
        with ir.InsertionPoint(self._launch), self._forall.location:
            buffer = memref.AllocOp(whole, [], []).result
        self._scratch.append(buffer)
        block = self._launch.regions[0].blocks[0]
        # Not the row's number: work-items beyond the last row have a part of their own.
        first = arith.MulIOp(block.arguments[0], index_constant(self._items.rows)).result
        number = arith.AddIOp(first, self._items.slot()).result
        start = arith.MulIOp(number, index_constant(size)).result
        return memref.ViewOp(kind, buffer, start, []).result


def _bytes(alloc: ir.Operation) -> int:
    """Return the bytes of a row's buffer, in whole cache lines; 0 for one of a single element."""
    kind = ir.MemRefType(alloc.results[0].type)
    if math.prod(kind.shape) == 1:
        return 0
    return -(-bytes_of(kind) // _ALIGNMENT) * _ALIGNMENT


def _outputs(op: ir.Operation) -> list[ir.Value]:
    segments = list(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"]))
    return list(op.operands)[segments[0] :]


def touched(op: ir.Operation) -> tuple[set[ir.Value], set[ir.Value]]:
    """Return the buffers that an op reads and writes, ops inside it included."""
    read: set[ir.Value] = set()
    written: set[ir.Value] = set()

    def visit(inner: ir.Operation) -> ir.WalkResult:
        if inner.name == "linalg.generic":
            outputs = _outputs(inner)
            written.update(root_of(v) for v in outputs)
            read.update(root_of(v) for v in inner.operands if _is_buffer(v))
        elif inner.name == "memref.load":
            read.add(root_of(inner.operands[0]))
        elif inner.name == "memref.store":
            written.add(root_of(inner.operands[1]))
        return ir.WalkResult.ADVANCE

    op.walk(visit)
    return read, written


def _is_buffer(value: ir.Value) -> bool:
    return isinstance(value.type, ir.MemRefType)


def _retype(value: ir.Value) -> None:
    """Let views of a buffer be in its memory space."""
    space = ir.MemRefType(value.type).memory_space
    for use in list(value.uses):
        op = use.owner.operation
        if not op.name.startswith("memref.") or op.name in ("memref.load", "memref.store"):
            continue
        for result in op.results:
            if isinstance(result.type, ir.MemRefType):
                kind = ir.MemRefType(result.type)
                result.set_type(
                    ir.MemRefType.get(kind.shape, kind.element_type, kind.layout, space)
                )
                _retype(result)


OPS = (LaunchRowsOp,)
