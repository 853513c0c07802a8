"""A scan of a row, by the work-items that have the row.

Flows in: a sequential loop on buffers that carries one value, combines it with a new one in each
iteration, and stores it. Flows out: the same results from a loop whose turns are of as many
elements as the row has work-items: they are scanned by shuffles, across sub-groups through local
memory, and what came before is carried from turn to turn.

Rewrite, for 16 work-items:
    scf.for %k = 1 to 1000 iter_args(%acc) { %s = %acc + %x[%k]; store %s, %y[%k]; yield %s }
  ->
    scf.for %b = 1 to 1000 step 16 iter_args(%carry) {
      %v = if %b + %lane < 1000: %x[%b + %lane] else 0
      %p = scan of %v by shuffles up 1, 2, 4, 8
      store %carry + %p, %y[%b + %lane]; yield %carry + the last lane's %p }
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, scf

from bellrock.dialects.device.grid import SUB_GROUP, known_index
from bellrock.dialects.device.item_loops import index_constant
from bellrock.dialects.device.placement import VIEWS
from bellrock.dialects.device.row_items import Combine, RowItems, local_buffer
from bellrock.dialects.split_reductions import NEUTRAL, neutral_of

_PURE = ("arith.", "math.")
_PARTS = 4
"""Operands of a loop before what it carries, and that: low, high, step, start."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A loop that scans, taken apart."""

    loop: ir.Operation
    combiner: ir.Operation
    store: ir.Operation
    """Of what is carried, before or after it is combined."""
    low: int
    high: int

    @property
    def includes_own(self) -> bool:
        """Whether what is stored includes the element at its place."""
        return self.store.operands[0] == self.combiner.results[0]

    @property
    def buffers(self) -> tuple[list[ir.Value], list[ir.Value]]:
        """What is read, and what is written."""
        body = [o.operation for o in self.loop.regions[0].blocks[0].operations]
        return [o.operands[0] for o in body if o.name == "memref.load"], [self.store.operands[1]]


def scan_of(loop: ir.Operation) -> Scan | None:
    """Take a loop apart; None for one that does more than scan, or something else."""
    if loop.name != "scf.for" or len(loop.operands) != _PARTS or list(loop.results[0].uses):
        return None
    low, high, step = (known_index(v) for v in list(loop.operands)[:3])
    *ops, last = [o.operation for o in loop.regions[0].blocks[0].operations]
    carried = loop.regions[0].blocks[0].arguments[1]
    combiner = None if isinstance(last.operands[0].owner, ir.Block) else last.operands[0].owner
    stores = [op for op in ops if op.name == "memref.store"]
    if low is None or high is None or step != 1 or combiner is None or len(stores) != 1:
        return None
    others = [op for op in ops if op not in (combiner, stores[0])]
    users = [use.owner.operation for use in carried.uses]
    fits = (
        combiner.name in NEUTRAL
        and combiner.operation in ops
        and list(combiner.operands).count(carried) == 1
        and stores[0].operands[0] in (carried, combiner.results[0])
        and all(user in (combiner.operation, stores[0]) for user in users)
        and all(_is_pure(op) for op in others)
        and ops[-1] in (combiner.operation, stores[0])
    )
    return Scan(loop, combiner.operation, stores[0], low, high) if fits else None


def _is_pure(op: ir.Operation) -> bool:
    return op.name == "memref.load" or op.name in VIEWS or op.name.startswith(_PURE)


def emit_scan(scan: Scan, items: RowItems) -> None:
    """Emit the scan before its loop, which it takes the ops of: it has to be erased."""
    loop = scan.loop
    kind = loop.operands[3].type
    neutral = neutral_of(scan.combiner.name, kind)
    local = None
    if items.count > SUB_GROUP:
        # Turns take two buffers in turn, so that one barrier is enough.
        parts = items.count * items.rows // SUB_GROUP
        buffer, name = local_buffer(loop, [2 * parts], kind)
        local = memref.GetGlobalOp(buffer, name).result
    high, step = index_constant(scan.high), index_constant(items.count)
    turns = scf.ForOp(index_constant(scan.low), high, step, [loop.operands[3]])
    with ir.InsertionPoint(turns.body):
        place = arith.AddIOp(turns.induction_variable, items.lane).result
        there = arith.CmpIOp(arith.CmpIPredicate.ult, place, high).result
        at = _mapping_at(scan, place)
        value = arith.SelectOp(there, at[_new_value(scan)], neutral).result
        spot = None if local is None else (local, _half(turns, scan, items))
        through, before, total = items.scanned(value, neutral, scan_combine(scan), spot)
        carry = turns.inner_iter_args[0]
        branch = scf.IfOp(items.and_inside(there))
        with ir.InsertionPoint(branch.then_block):
            own = through if scan.includes_own else before
            result = scan_combine(scan)(carry, own)
            into, *indices = [at.get(v, v) for v in list(scan.store.operands)[1:]]
            memref.StoreOp(result, into, indices)
            scf.YieldOp([])
        scf.YieldOp([scan_combine(scan)(carry, total)])


def scan_combine(scan: Scan) -> Combine:
    """Return what combines two values."""

    def combine(first: ir.Value, second: ir.Value) -> ir.Value:
        clone = scan.combiner.clone().operation
        clone.operands[0], clone.operands[1] = first, second
        return clone.results[0]

    return combine


def _half(turns: scf.ForOp, scan: Scan, items: RowItems) -> ir.Value:
    """Return where in local memory a turn may write: the half that the last one did not."""
    done = arith.SubIOp(turns.induction_variable, index_constant(scan.low)).result
    turn = arith.DivUIOp(done, index_constant(items.count)).result
    odd = arith.RemUIOp(turn, index_constant(2)).result
    parts = items.count * items.rows // SUB_GROUP
    return arith.MulIOp(odd, index_constant(parts)).result


def _mapping_at(scan: Scan, place: ir.Value) -> dict[ir.Value, ir.Value]:
    """Clone what an iteration computes for itself; beyond the last one, what that does.

    Returns:
        The loop's values -> those of the iteration.
    """
    block = scan.loop.regions[0].blocks[0]
    last = index_constant(scan.high - 1)
    mapping: dict[ir.Value, ir.Value] = {block.arguments[0]: arith.MinUIOp(place, last).result}
    new = _new_value(scan)
    mapping.setdefault(new, new)
    for op in [view.operation for view in block.operations][:-1]:
        if op in (scan.combiner, scan.store):
            continue
        clone = op.clone().operation
        for i, operand in enumerate(op.operands):
            clone.operands[i] = mapping.get(operand, operand)
        mapping.update(zip(op.results, clone.results, strict=True))
    return mapping


def _new_value(scan: Scan) -> ir.Value:
    """Return what an iteration combines with what is carried."""
    carried = scan.loop.regions[0].blocks[0].arguments[1]
    return next(v for v in scan.combiner.operands if v != carried)
