"""One pass over a row: the loops of a generic, dealt to the work-items that have the row.

Flows in: a generic on buffers, or on a row's parts of them; `RowItems`. Flows out: code of one
work-item. Neighbouring work-items take neighbouring iterations. A reduction to one number is
combined across the row's work-items, each of which then has it; of several results each is one
sub-group's where iterations lie side by side, else one work-item's.
"""

from __future__ import annotations

import math

from torch_mlir import ir
from torch_mlir.dialects import memref, scf

from bellrock.dialects.device.grid import SUB_GROUP, delinearized
from bellrock.dialects.device.item_loops import Nest, index_constant
from bellrock.dialects.device.row_items import RowItems, across_lanes, is_equal
from bellrock.dialects.generic_ops import init_index
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.split_reductions import along_memory, combiner_of, neutral_of

SHORTEST = 2 * SUB_GROUP
"""Iterations from which on a result is worth a sub-group."""
_LONG_LOOP = 4
"""Turns of a loop by itself; a shorter one is run through together with those around it."""


class RowNest(Nest):
    """The loops of one generic, as the work-items of a row go through them."""

    def __init__(self, op: ir.Operation, items: RowItems, rows: dict[int, ir.Value]) -> None:
        """Prepare to emit the loops.

        Args:
            op: a generic of known sizes.
            items: who goes through its loops.
            rows: the loops that are no part of a row -> where the row stands in them.
        """
        super().__init__(op)
        self._items = items
        self._sizes = loop_sizes(op)
        self._at.update(rows)
        kinds = list(enumerate(self._kinds))
        self._over = [d for d, kind in kinds if kind == "reduction"]
        self._along = [d for d in self._parallel_order() if d not in rows]

    def emit_pass(self, *, own: set[ir.Value], shared: set[ir.Value]) -> None:
        """Emit the pass at the insertion point.

        Args:
            own: buffers of which each work-item has one to itself.
            shared: buffers of the row in local memory; others are the device's.
        """
        self._own, self._shared = own, shared
        results = math.prod(self._sizes[d] for d in self._along)
        reduced = math.prod(self._sizes[d] for d in self._over)
        if (
            results == 1
            and self._over
            and reduced > 1
            and combiner_of(self._op, indices=True) is not None
        ):
            self._at.update((d, index_constant(0)) for d in self._along)
            self._write_once([self.combined()], carried=True)
        elif self._to_itself():
            self._at.update((d, index_constant(0)) for d in self._along)
            self._write(self._serial())
        elif self._by_sub_groups(reduced):
            self._sub_groups(results)
        else:
            self._each(results)

    def combined(self) -> ir.Value:
        """Reduce a row to one number, which each of its work-items then has."""
        combiner = combiner_of(self._op, indices=True)
        assert combiner is not None
        output = self._op.operands[self._outputs.start]
        start = neutral_of(combiner.name, ir.MemRefType(output.type).element_type)
        sizes = [self._sizes[d] for d in self._over]
        lane, step = self._items.lane, self._items.count
        if len(sizes) > 1 and sizes[-1] < _LONG_LOOP * step:
            (part,) = self._shared_loop(self._over, lane, step, [start])
        else:
            (part,) = self._nested(self._over, lane, step, [start])
        return self._items.across(part, self._combine, self._op)

    def _to_itself(self) -> bool:
        return all(self._op.operands[i] in self._own for i in self._outputs)

    def _by_sub_groups(self, reduced: int) -> bool:
        return (
            reduced >= SHORTEST
            and combiner_of(self._op, indices=True) is not None
            and along_memory(self._op)
        )

    def _each(self, results: int) -> None:
        """Deal results to work-items."""
        loop = scf.ForOp(
            self._items.lane, index_constant(results), index_constant(self._items.count)
        )
        with ir.InsertionPoint(loop.body):
            self._stand_at(self._along, loop.induction_variable)
            self._write(self._serial(), guarded=True)
            scf.YieldOp([])

    def _sub_groups(self, results: int) -> None:
        """Deal results to sub-groups, whose lanes share the iterations of each."""
        groups = self._items.count // SUB_GROUP
        lane = self._items.sub_lane()
        start = self._first_sub_group()
        combiner = combiner_of(self._op, indices=True)
        assert combiner is not None
        output = self._op.operands[self._outputs.start]
        neutral = neutral_of(combiner.name, ir.MemRefType(output.type).element_type)
        loop = scf.ForOp(start, index_constant(results), index_constant(groups))
        with ir.InsertionPoint(loop.body):
            self._stand_at(self._along, loop.induction_variable)
            (part,) = self._shared_loop(self._over, lane, SUB_GROUP, [neutral])
            total = across_lanes(part, self._combine, SUB_GROUP)
            writes = is_equal(lane, index_constant(0))
            if not self._shared.issuperset(self._written()):
                writes = self._items.and_inside(writes)
            branch = scf.IfOp(writes)
            with ir.InsertionPoint(branch.then_block):
                self._write([self._combine(self._read(self._outputs.start), total)])
                scf.YieldOp([])
            scf.YieldOp([])

    def _first_sub_group(self) -> ir.Value:
        from torch_mlir.dialects import arith

        return arith.DivUIOp(self._items.lane, index_constant(SUB_GROUP)).result

    def _written(self) -> list[ir.Value]:
        return [self._op.operands[i] for i in self._outputs]

    def _serial(self) -> list[ir.Value]:
        """Reduce in one work-item."""
        bounds = {d: index_constant(self._sizes[d]) for d in self._over}
        return self._reduce(self._over, bounds, [self._read(i) for i in self._outputs])

    def _write_once(self, totals: list[ir.Value], *, carried: bool) -> None:
        """Write what all work-items of the row have, where each needs it or once."""
        if self._to_itself():
            self._write(self._with_old(totals, carried=carried))
            return
        branch = scf.IfOp(self._items.first_inside())
        with ir.InsertionPoint(branch.then_block):
            self._write(self._with_old(totals, carried=carried))
            scf.YieldOp([])

    def _with_old(self, totals: list[ir.Value], *, carried: bool) -> list[ir.Value]:
        if not carried:
            return totals
        old = [self._read(i) for i in self._outputs]
        return [self._combine(a, b) for a, b in zip(old, totals, strict=True)]

    def _write(self, values: list[ir.Value], *, guarded: bool = False) -> None:
        """Write results, where there is such a row if it is guarded."""
        if guarded and self._items.inside is not None and not self._shared.issuperset(
            self._written()
        ):  # fmt: skip
            branch = scf.IfOp(self._items.inside)
            with ir.InsertionPoint(branch.then_block):
                self._write(values)
                scf.YieldOp([])
            return
        for i, value in zip(self._outputs, values, strict=True):
            memref.StoreOp(value, self._op.operands[i], self._place(i))

    def _stand_at(self, loops: list[int], number: ir.Value) -> None:
        numbers = delinearized(number, [self._sizes[d] for d in loops]) if loops else []
        self._at.update(zip(loops, numbers, strict=True))

    def _shared_loop(
        self, loops: list[int], lane: ir.Value, step: int, carried: list[ir.Value]
    ) -> list[ir.Value]:
        """Run through loops as one, from the lane on in steps."""
        count = math.prod(self._sizes[d] for d in loops)
        loop = scf.ForOp(lane, index_constant(count), index_constant(step), carried)
        with ir.InsertionPoint(loop.body):
            self._stand_at(loops, loop.induction_variable)
            scf.YieldOp(self._body(list(loop.inner_iter_args)))
        return list(loop.results)

    def _nested(
        self, left: list[int], lane: ir.Value, step: int, carried: list[ir.Value]
    ) -> list[ir.Value]:
        """Run through loops, the last of them shared."""
        if len(left) == 1:
            return self._shared_loop(left, lane, step, carried)
        size = index_constant(self._sizes[left[0]])
        loop = scf.ForOp(index_constant(0), size, index_constant(1), carried)
        self._at[left[0]] = loop.induction_variable
        with ir.InsertionPoint(loop.body):
            scf.YieldOp(self._nested(left[1:], lane, step, list(loop.inner_iter_args)))
        return list(loop.results)

    def _combine(self, first: ir.Value, second: ir.Value) -> ir.Value:
        combiner = combiner_of(self._op, indices=True)
        assert combiner is not None
        clone = combiner.clone()
        clone.operation.operands[0], clone.operation.operands[1] = first, second
        return clone.operation.results[0]


def is_static(op: ir.Operation) -> bool:
    """Whether all loops of a generic are of known sizes, at least one iteration each."""
    sizes = loop_sizes(op)
    return len(sizes) == len(list(op.attributes["iterator_types"])) and min(
        sizes.values(), default=1
    ) >= 1 and init_index(op) < len(op.operands)  # fmt: skip
