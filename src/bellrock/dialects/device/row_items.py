"""The work-items that have a row together: who they are, and how they combine their parts.

Flows in: values of work-items of a group, in a launch under construction. Flows out: the code by
which a row's work-items combine or scan them: shuffles within a sub-group, local memory and a
barrier beyond. All work-items of a group come to shuffles and barriers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, gpu, memref, scf

from bellrock.dialects.device.grid import SUB_GROUP
from bellrock.dialects.device.item_loops import index_constant
from bellrock.dialects.extension import module_op, ops_named

LOCAL = 3
"""Memory space of a work-group's local memory."""
LONGEST_CHAIN = 1024
"""Iterations of one work-item."""
MOST_ITEMS = SUB_GROUP * SUB_GROUP
"""Of a row: the lanes of a sub-group combine the parts of its sub-groups."""
_LOCAL_ALIGNMENT = 64

Combine = Callable[[ir.Value, ir.Value], ir.Value]


def items_for(wanted: int, reduced: int) -> int:
    """Return how many work-items share a row.

    Args:
        wanted: as was chosen.
        reduced: iterations of the row; more work-items share those of a long one.
    """
    items = wanted
    while reduced > LONGEST_CHAIN * items and items < MOST_ITEMS:
        items *= 4 if items > 1 else SUB_GROUP
    while items > SUB_GROUP and items > reduced // 2:
        items //= 2
    return items


@dataclass(frozen=True, slots=True)
class RowItems:
    """The work-items of one row, as seen by one of them."""

    count: int
    """Of the row: a sub-group, or several."""
    rows: int
    """Of a group."""
    thread: ir.Value
    """The work-item's number in its group."""
    lane: ir.Value
    """Its number in the row."""
    inside: ir.Value | None
    """Whether there is such a row; None where there is one for each."""

    @staticmethod
    def of(launch: gpu.LaunchOp, count: int, rows: int, total: int) -> tuple[RowItems, ir.Value]:
        """Emit, at the insertion point, who a work-item is; returns it and its row's number.

        Args:
            launch: that it belongs to.
            count: work-items of a row.
            rows: of a group.
            total: of all rows. Work-items beyond the last have the last one, too.
        """
        block = launch.regions[0].blocks[0]
        thread = block.arguments[3]
        lane = arith.RemUIOp(thread, index_constant(count)).result
        row = arith.DivUIOp(thread, index_constant(count)).result
        first = arith.MulIOp(block.arguments[0], index_constant(rows)).result
        row = arith.AddIOp(first, row).result
        inside = None
        if total % rows:
            inside = arith.CmpIOp(arith.CmpIPredicate.ult, row, index_constant(total)).result
            row = arith.MinUIOp(row, index_constant(total - 1)).result
        return RowItems(count, rows, thread, lane, inside), row

    def slot(self) -> ir.Value:
        """Return the row's number in its group."""
        return arith.DivUIOp(self.thread, index_constant(self.count)).result

    def sub_group(self) -> ir.Value:
        """Return the number of the work-item's sub-group in the group."""
        return arith.DivUIOp(self.thread, index_constant(SUB_GROUP)).result

    def sub_lane(self) -> ir.Value:
        """Return the work-item's number in its sub-group."""
        return arith.RemUIOp(self.thread, index_constant(SUB_GROUP)).result

    def first_inside(self) -> ir.Value:
        """Whether a work-item is the one that writes what its row has once."""
        return self.and_inside(is_equal(self.lane, index_constant(0)))

    def and_inside(self, condition: ir.Value) -> ir.Value:
        """Return a condition that holds only where there is a row."""
        if self.inside is None:
            return condition
        return arith.AndIOp(condition, self.inside).result

    def across(self, value: ir.Value, combine: Combine, module: ir.Operation) -> ir.Value:
        """Combine the values of a row's work-items; each of them has the result.

        Args:
            value: of this work-item.
            combine: two values, in any order.
            module: where local memory is declared.
        """
        value = across_lanes(value, combine, SUB_GROUP)
        if self.count == SUB_GROUP:
            return value
        kind, name = local_buffer(module, [self.count * self.rows // SUB_GROUP], value.type)
        buffer = memref.GetGlobalOp(kind, name).result
        own = self.sub_group()
        branch = scf.IfOp(is_equal(self.sub_lane(), index_constant(0)))
        with ir.InsertionPoint(branch.then_block):
            memref.StoreOp(value, buffer, [own])
            scf.YieldOp([])
        barrier(everything=False)
        # A power of two up to a sub-group: its lanes read the parts of all, some of them twice.
        parts = self.count // SUB_GROUP
        part = arith.RemUIOp(self.sub_lane(), index_constant(parts)).result
        part = arith.AddIOp(self._first_part(own, parts), part).result
        return across_lanes(memref.LoadOp(buffer, [part]).result, combine, parts)

    def scanned(
        self, value: ir.Value, neutral: ir.Value, combine: Combine,
        local: tuple[ir.Value, ir.Value] | None,
    ) -> tuple[ir.Value, ir.Value, ir.Value]:  # fmt: skip
        """Scan the values of a row's work-items.

        Args:
            value: of this work-item.
            neutral: changes nothing that it is combined with.
            combine: two values.
            local: a buffer in local memory, and where in it this scan may write an element for
                each sub-group; None where the row has one sub-group.

        Returns:
            What comes up to and with this work-item, what comes before it, and all of it.
        """
        lane = self.sub_lane()
        distance = 1
        while distance < SUB_GROUP:
            value = combine(_from_below(value, distance, lane, neutral), value)
            distance *= 2
        before = _from_below(value, 1, lane, neutral)
        if local is None:
            return value, before, exchanged(value, SUB_GROUP - 1, gpu.ShuffleMode.IDX)
        buffer, start = local
        own, parts = self.sub_group(), self.count // SUB_GROUP
        branch = scf.IfOp(is_equal(lane, index_constant(SUB_GROUP - 1)))
        with ir.InsertionPoint(branch.then_block):
            memref.StoreOp(value, buffer, [arith.AddIOp(start, own).result])
            scf.YieldOp([])
        barrier(everything=False)
        first = self._first_part(own, parts)
        loop = scf.ForOp(
            first, arith.AddIOp(first, index_constant(parts)).result, index_constant(1),
            [neutral, neutral],
        )  # fmt: skip
        with ir.InsertionPoint(loop.body):
            below, total = loop.inner_iter_args
            at = arith.AddIOp(start, loop.induction_variable).result
            part = memref.LoadOp(buffer, [at]).result
            earlier = arith.CmpIOp(arith.CmpIPredicate.ult, loop.induction_variable, own).result
            scf.YieldOp([
                arith.SelectOp(earlier, combine(below, part), below).result, combine(total, part)
            ])  # fmt: skip
        below, total = loop.results
        return combine(below, value), combine(below, before), total

    def _first_part(self, own: ir.Value, parts: int) -> ir.Value:
        """Return the first sub-group of the work-item's row."""
        return arith.SubIOp(own, arith.RemUIOp(own, index_constant(parts)).result).result


def is_equal(a: ir.Value, b: ir.Value) -> ir.Value:
    """Compare two indices."""
    return arith.CmpIOp(arith.CmpIPredicate.eq, a, b).result


def barrier(*, everything: bool) -> None:
    """Wait for the group's work-items, and see what they wrote.

    Args:
        everything: whether in the device's memory, too, not in local memory only.
    """
    spaces = ["workgroup", *(["global"] if everything else [])]
    fenced = ir.ArrayAttr.get([ir.Attribute.parse(f"#gpu.address_space<{s}>") for s in spaces])
    gpu.BarrierOp(address_spaces=fenced)


def local_buffer(
    module: ir.Operation, shape: list[int], element: ir.Type
) -> tuple[ir.MemRefType, str]:
    """Declare local memory; returns its type and name.

    Args:
        module: anything below the outermost module.
        shape: of the buffer.
        element: its type.
    """
    space = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), LOCAL)
    kind = ir.MemRefType.get(shape, element, memory_space=space)
    top = module_op(module)
    name = f"local_{len(ops_named(top, 'memref.global'))}"
    with ir.InsertionPoint.at_block_begin(top.regions[0].blocks[0]):
        memref.GlobalOp(
            name, kind, sym_visibility="private", initial_value=ir.UnitAttr.get(),
            alignment=_LOCAL_ALIGNMENT,
        )  # fmt: skip
    return kind, name


def across_lanes(value: ir.Value, combine: Combine, count: int) -> ir.Value:
    """Combine the values of so many neighbouring lanes, a power of two."""
    step = count // 2
    while step:
        value = combine(value, exchanged(value, step, gpu.ShuffleMode.XOR))
        step //= 2
    return value


def _from_below(value: ir.Value, distance: int, lane: ir.Value, neutral: ir.Value) -> ir.Value:
    """Return the value of the lane so far below; what is neutral where there is none."""
    there = arith.CmpIOp(arith.CmpIPredicate.uge, lane, index_constant(distance)).result
    found = exchanged(value, distance, gpu.ShuffleMode.UP)
    return arith.SelectOp(there, found, neutral).result


def exchanged(value: ir.Value, step: int, mode: gpu.ShuffleMode) -> ir.Value:
    """Return the value of another lane of the sub-group: see `gpu.shuffle`."""
    kind, i32 = value.type, ir.IntegerType.get_signless(32)
    narrow = kind.width < 32
    bits = ir.IntegerType.get_signless(kind.width)
    if narrow:
        given = arith.BitcastOp(bits, value).result if isinstance(kind, ir.FloatType) else value
        value = arith.ExtUIOp(i32, given).result
    offset, width = (arith.ConstantOp(i32, number).result for number in (step, SUB_GROUP))
    found = gpu.ShuffleOp(value, offset, width, mode).results[0]
    if narrow:
        found = arith.TruncIOp(bits, found).result
        found = arith.BitcastOp(kind, found).result if isinstance(kind, ir.FloatType) else found
    return found
