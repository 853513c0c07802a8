"""Launches: an iteration space cut into work-groups, and code for one work-item.

Flows in: parallel loops, or a run of sequential ops. Flows out: `gpu.launch` in their place,
which captures scalars and whole buffers only: what computes addresses is in the launch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, gpu, scf

from bellrock.dialects.device.item_loops import index_constant
from bellrock.dialects.grouping import defining_op

SUB_GROUP = 16
"""Work-items that run as one; groups are multiples of it."""
_SHORT_INDEX = 1 << 31
"""Iterations up to which their number is divided in 32 bits, which is much cheaper."""
_MOVED_IN = (
    "arith.", "affine.", "memref.cast", "memref.collapse_shape", "memref.expand_shape",
    "memref.extract_strided_metadata", "memref.reinterpret_cast", "memref.subview",
    "memref.transpose", "memref.view", "memref.dim", "memref.get_global",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """How iterations are dealt to work-items."""

    size: int = 256
    """Work-items of a group."""
    items: int = 1
    """Iterations of a work-item, `size` apart from each other."""
    row_items: int = 1
    """Work-items that reduce one result together, where they can."""


def launch_items(loop: ir.Operation, group: Group) -> None:
    """Replace a parallel loop by a launch with a work-item for each iteration."""
    if loop.name != "scf.parallel":
        return  # a launch already
    space = _Space(loop)
    with ir.InsertionPoint(loop), loop.location:
        total = space.total()
        size, items, groups = _shape(total, group)
        launch = launch_of(groups, size)
        block = launch.regions[0].blocks[0]
        with ir.InsertionPoint(block):
            first = _first_item(block, size, items)
            if items == 1:
                _item(loop, space, first, total, whole=_divides(size, total))
            else:
                steps = scf.ForOp(index_constant(0), index_constant(items), index_constant(1))
                with ir.InsertionPoint(steps.body):
                    step = arith.MulIOp(steps.induction_variable, index_constant(size)).result
                    item = arith.AddIOp(first, step).result
                    _item(loop, space, item, total, whole=_divides(size * items, total))
                    scf.YieldOp([])
            gpu.TerminatorOp()
    loop.erase()
    sequential_inside(launch.operation)
    move_in(launch.operation)


def launch_single(run: Sequence[ir.Operation], *, before: ir.Operation) -> None:
    """Move ops that follow each other into a launch of one work-item."""
    with ir.InsertionPoint(before), before.location:
        launch = launch_of(index_constant(1), 1)
        with ir.InsertionPoint(launch.regions[0].blocks[0]):
            end = gpu.TerminatorOp()
    for op in run:
        op.move_before(end.operation)
    sequential_inside(launch.operation)
    move_in(launch.operation)


def sequential_inside(root: ir.Operation) -> None:
    """Make the parallel loops below an op sequential."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if op.name == "scf.parallel":
            found.append(op)
        return ir.WalkResult.ADVANCE

    root.walk(visit)  # inner loops first
    for loop in found:
        with ir.InsertionPoint(loop), loop.location:
            _sequential(loop, _Space(loop), [])
        loop.erase()


class _Space:
    """The iteration space of a parallel loop."""

    def __init__(self, loop: ir.Operation) -> None:
        count = len(loop.operands) // 3
        self.low = list(loop.operands)[:count]
        self.high = list(loop.operands)[count : 2 * count]
        self.step = list(loop.operands)[2 * count :]

    def counts(self) -> list[int | ir.Value]:
        """Return the iterations of each loop; numbers where they are known."""
        return [
            _count(low, high, step)
            for low, high, step in zip(self.low, self.high, self.step, strict=True)
        ]

    def total(self) -> int | ir.Value:
        """Return the number of all iterations."""
        return _product(self.counts())

    def at(self, numbers: Sequence[ir.Value]) -> list[ir.Value]:
        """Return what the loops' variables are in an iteration given by its numbers."""
        return [
            _scaled(number, low, step)
            for number, low, step in zip(numbers, self.low, self.step, strict=True)
        ]


def _count(low: ir.Value, high: ir.Value, step: ir.Value) -> int | ir.Value:
    first, last, by = (known_index(v) for v in (low, high, step))
    if first is not None and last is not None and by is not None:
        return max(0, -(-(last - first) // by))
    return arith.CeilDivSIOp(arith.SubIOp(high, low).result, step).result


def _product(sizes: Sequence[int | ir.Value]) -> int | ir.Value:
    static = math.prod(size for size in sizes if isinstance(size, int))
    total: int | ir.Value = static
    for size in sizes:
        if not isinstance(size, int):
            total = arith.MulIOp(value_of(total), size).result
    return total


def _scaled(number: ir.Value, low: ir.Value, step: ir.Value) -> ir.Value:
    by = number if known_index(step) == 1 else arith.MulIOp(number, step).result
    return by if known_index(low) == 0 else arith.AddIOp(low, by).result


def known_index(value: ir.Value) -> int | None:
    """Return the number that an index is known to be."""
    op = defining_op(value)
    if op is None or op.name != "arith.constant":
        return None
    return ir.IntegerAttr(op.attributes["value"]).value


def value_of(size: int | ir.Value) -> ir.Value:
    """Return a size as a value."""
    return index_constant(size) if isinstance(size, int) else size


def _divides(part: int, total: int | ir.Value) -> bool:
    return isinstance(total, int) and total % part == 0


def _shape(total: int | ir.Value, group: Group) -> tuple[int, int, ir.Value]:
    """Return the size of a group, the iterations of a work-item, and how many groups."""
    if not isinstance(total, int):
        each = index_constant(group.size * group.items)
        return group.size, group.items, arith.CeilDivSIOp(total, each).result
    size = min(group.size, max(1, -(-total // SUB_GROUP)) * SUB_GROUP)
    if total == 1:
        size = 1
    items = max(1, min(group.items, total // size))
    return size, items, index_constant(-(-total // (size * items)))


def launch_of(groups: ir.Value, size: int) -> gpu.LaunchOp:
    """Make a launch with an empty body.

    Args:
        groups: of work-items.
        size: of each group.
    """
    one = index_constant(1)
    return gpu.LaunchOp((groups, one, one), (index_constant(size), one, one))


def _first_item(block: ir.Block, size: int, items: int) -> ir.Value:
    group, thread = block.arguments[0], block.arguments[3]
    start = arith.MulIOp(group, index_constant(size * items)).result
    return arith.AddIOp(start, thread).result


def _item(
    loop: ir.Operation, space: _Space, item: ir.Value, total: int | ir.Value, *, whole: bool
) -> None:
    """Emit the iteration of a number, if there is one; moves the loop's body where it fits."""
    if whole:
        _move_body(loop, delinearized(item, space.counts()), space)
        return
    inside = arith.CmpIOp(arith.CmpIPredicate.ult, item, value_of(total)).result
    branch = scf.IfOp(inside)
    with ir.InsertionPoint(branch.then_block):
        _move_body(loop, delinearized(item, space.counts()), space)
        scf.YieldOp([])


def delinearized(item: ir.Value, counts: Sequence[int | ir.Value]) -> list[ir.Value]:
    """Return the number of an iteration in each loop, the last of which runs fastest.

    Args:
        item: number of the iteration.
        counts: iterations of each loop.
    """
    narrow = (
        sum(c != 1 for c in counts) > 1
        and all(isinstance(c, int) for c in counts)
        and math.prod(c for c in counts if isinstance(c, int)) < _SHORT_INDEX
    )
    index, i32 = ir.IndexType.get(), ir.IntegerType.get_signless(32)
    left = arith.IndexCastUIOp(i32, item).result if narrow else item
    numbers: list[ir.Value] = []
    for d in reversed(range(len(counts))):
        count = counts[d]
        if count == 1:
            numbers.append(index_constant(0))
            continue
        if not any(c != 1 for c in counts[:d]):
            numbers.append(left)
            left = left if d == 0 else index_constant(0)
            continue
        by = arith.ConstantOp(i32, count).result if narrow else value_of(count)
        numbers.append(arith.RemUIOp(left, by).result)
        left = arith.DivUIOp(left, by).result
    wide = [v if v.type == index else arith.IndexCastUIOp(index, v).result for v in numbers]
    return wide[::-1]


def _move_body(loop: ir.Operation, numbers: Sequence[ir.Value], space: _Space) -> None:
    """Move the ops of a loop's body to the insertion point, for one iteration."""
    body = loop.regions[0].blocks[0]
    for argument, value in zip(body.arguments, space.at(numbers), strict=True):
        argument.replace_all_uses_with(value)
    marker = index_constant(0).owner.operation
    for op in list(body.operations)[:-1]:
        op.operation.move_before(marker)


def _sequential(loop: ir.Operation, space: _Space, at: list[ir.Value]) -> None:
    depth = len(at)
    if depth == len(space.low):
        for argument, value in zip(loop.regions[0].blocks[0].arguments, at, strict=True):
            argument.replace_all_uses_with(value)
        marker = index_constant(0).owner.operation
        for op in list(loop.regions[0].blocks[0].operations)[:-1]:
            op.operation.move_before(marker)
        return
    one = scf.ForOp(space.low[depth], space.high[depth], space.step[depth])
    with ir.InsertionPoint(one.body):
        _sequential(loop, space, [*at, one.induction_variable])
        scf.YieldOp([])


def move_in(launch: ir.Operation) -> None:
    """Clone what computes addresses into a launch, so that it captures whole buffers only."""
    block = launch.regions[0].blocks[0]
    first = block.operations[0].operation
    clones: dict[ir.Value, ir.Value] = {}
    for value in captured(launch):
        new = _clone_in(value, first, clones)
        if new != value:
            _replace_inside(launch, value, new)


def captured(launch: ir.Operation) -> list[ir.Value]:
    """Return the values from outside that are used in a launch, in order of first use."""
    inside: set[ir.Value] = set()
    found: dict[ir.Value, None] = {}

    def visit(op: ir.Operation) -> ir.WalkResult:
        inside.update(op.results)
        for region in op.regions:
            for block in region.blocks:
                inside.update(block.arguments)
        if op != launch:
            found.update((v, None) for v in op.operands if v not in inside)
        return ir.WalkResult.ADVANCE

    launch.walk(visit, ir.WalkOrder.PRE_ORDER)
    return list(found)


def _clone_in(value: ir.Value, before: ir.Operation, clones: dict[ir.Value, ir.Value]) -> ir.Value:
    if value in clones:
        return clones[value]
    op = defining_op(value)
    if op is None or not op.name.startswith(_MOVED_IN) or len(op.regions):
        return value
    operands = [_clone_in(v, before, clones) for v in op.operands]
    with ir.InsertionPoint(before), op.location:
        clone = op.clone()
    for i, operand in enumerate(operands):
        clone.operation.operands[i] = operand
    clones.update(zip(op.results, clone.operation.results, strict=True))
    return clones[value]


def _replace_inside(launch: ir.Operation, old: ir.Value, new: ir.Value) -> None:
    def visit(op: ir.Operation) -> ir.WalkResult:
        if op != launch:
            for i, operand in enumerate(op.operands):
                if operand == old:
                    op.operands[i] = new
        return ir.WalkResult.ADVANCE

    launch.walk(visit)
