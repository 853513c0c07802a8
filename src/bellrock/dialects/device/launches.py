"""`transform.bellrock.place_launches`: what touches buffers goes into `gpu.launch`.

Missing upstream: `gpu-map-parallel-loops` and `convert-parallel-loops-to-gpu` make one work-item of
each iteration and one dimension of the grid of each loop, for three loops at the most, and
leave everything that is not a parallel loop to the host, which cannot read a device's buffers.

Rewrite, where a work-group has 256 items:
    scf.parallel (%i, %j) = 0 to (100, 30) { ... }
  ->
    gpu.launch blocks (12, 1, 1) threads (256, 1, 1) {
      %n = block * 256 + thread
      scf.if %n < 3000 { %i = %n / 30, %j = %n % 30 ... } }

The innermost loop runs along neighbouring work-items. Runs of other ops that read or write buffers
become a launch of a single work-item; loops around launches stay on the host as long as
nothing that the device computes decides how they go on. Values that one launch makes and
another one needs go through a buffer.

Needs: `item_loops`. Leaves: functions whose own ops are launches, allocations, calls and
what computes sizes and addresses.
"""

# No postponed annotations here: the dialect reads the field types from them.

from torch_mlir import ir
from torch_mlir.dialects import ext, memref, transform

from bellrock.dialects.device.grid import Group, launch_items, launch_single
from bellrock.dialects.device.item_loops import index_constant
from bellrock.dialects.device.placement import VIEWS, Place, Placement
from bellrock.dialects.device.private import settle_buffers
from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.outlining import CHOICE, anchor_of
from bellrock.errors import CompileError

GROUP = "bellrock.group"
"""Attribute of a kernel function: the fields of `Group`."""


@edits_in_place(lambda op: _note_group(op))
class PlaceGroupsOp(Bellrock.Operation, name="place_groups"):
    """Note the group size of the anchor's choice on each of the handle's functions."""

    target: ext.Operand[transform.AnyOpType]


@edits_in_place(lambda op: _place_launches(op))
class PlaceLaunchesOp(Bellrock.Operation, name="place_launches"):
    """Put what each of the handle's functions does to buffers into launches."""

    target: ext.Operand[transform.AnyOpType]


def _note_group(function: ir.Operation) -> None:
    anchor = anchor_of(function)
    if anchor is None or CHOICE not in anchor.attributes:
        return
    choice = ir.DictAttr(anchor.attributes[CHOICE])
    if "group_size" in choice:
        names = ("group_size", "items", "row_items")
        sizes = [ir.IntegerAttr(choice[key]).value for key in names]
        function.attributes[GROUP] = ir.DenseI64ArrayAttr.get(sizes, function.context)


def group_of(function: ir.Operation) -> Group:
    """Return what was noted on a kernel function, or what is usual."""
    if GROUP not in function.attributes:
        return Group()
    return Group(*ir.DenseI64ArrayAttr(function.attributes[GROUP]))


def _place_launches(function: ir.Operation) -> None:
    if not len(function.regions[0].blocks):
        return
    group = group_of(function)
    if GROUP in function.attributes:
        del function.attributes[GROUP]
    block = function.regions[0].blocks[0]
    while _view_where_used(Placement(block)):
        pass
    _spill(Placement(block), block)
    _launch_block(block, Placement(block), group)
    settle_buffers(function)


def _view_where_used(placement: Placement) -> bool:
    """Make views that one launch has and others need anew before their uses.

    Only scalars pass between launches, through memory; what a view is made of follows in turn.
    """
    views = [
        (value.owner.operation, users)
        for value, users in placement.escaping()
        if isinstance(value.type, ir.MemRefType)
    ]
    for op, users in views:
        if op.name not in VIEWS:
            raise CompileError("launches share a buffer that one of them makes", got=str(op)[:200])
        for user in users:
            with ir.InsertionPoint(user), user.location:
                clone = op.clone().operation
            for i, operand in enumerate(user.operands):
                if operand.owner == op:
                    user.operands[i] = clone.results[ir.OpResult(operand).result_number]
        if not any(list(result.uses) for result in op.results):
            op.erase()
        return True
    return False


def _spill(placement: Placement, block: ir.Block) -> None:
    """Pass values between launches through buffers of one element."""
    for value, users in placement.escaping():
        kind = ir.MemRefType.get([1], value.type)
        first = block.operations[0].operation
        with ir.InsertionPoint(first), first.location:
            buffer = memref.AllocOp(kind, [], []).result
            zero = index_constant(0)
        last = block.operations[len(block.operations) - 1].operation
        with ir.InsertionPoint(last), last.location:
            memref.DeallocOp(buffer)
        after = value.owner.operation
        with ir.InsertionPoint.after(after), after.location:
            memref.StoreOp(value, buffer, [zero])
        for user in users:
            with ir.InsertionPoint(user), user.location:
                again = memref.LoadOp(buffer, [zero]).result
            for i, operand in enumerate(user.operands):
                if operand == value:
                    user.operands[i] = again


def _launch_block(block: ir.Block, placement: Placement, group: Group) -> None:
    """Launch what a block on the host does to buffers."""
    run: list[ir.Operation] = []
    for view in list(block.operations):
        op = view.operation
        place = placement.of(op)
        if place is Place.SINGLE:
            run.append(op)
        elif place is Place.FREE:
            continue
        else:
            _flush(run, before=op)
            if place is Place.ITEMS:
                launch_items(op, group)
            elif place is Place.HOST:
                for region in op.regions:
                    for inner in region.blocks:
                        _launch_block(inner, placement, group)
    assert not run, "a block ends with a terminator, which is the host's"


def _flush(run: list[ir.Operation], *, before: ir.Operation) -> None:
    if run:
        launch_single(run, before=before)
        run.clear()


OPS = (PlaceGroupsOp, PlaceLaunchesOp)
