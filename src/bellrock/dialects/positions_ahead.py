"""`transform.bellrock.positions_ahead`: positions are computed by vectors, ahead of the updates.

Missing upstream: distributing a loop. A scatter reads an index, brings it into range and updates
what is there; updates may meet, so none of it is vectorised, although the positions by themselves
could be. Here such a loop goes by strips: the positions of a strip into a small buffer, which
LLVM vectorises, and then the updates in their order.

Rewrite:
    scf.for %k { %p = clamp(load %index[%k]);  store (load %y[%p] + load %x[%k]), %y[%p] }
  ->
    %table = memref.alloca() : memref<512xindex>
    scf.for %k0 step 512 { %n = min(512, rest)
      scf.for %j < %n { store clamp(load %index[%k0 + %j]), %table[%j] }
      scf.for %j < %n { %p = load %table[%j];  ... }}

Needs: innermost loops on buffers, in steps of one, and kernels, whose arguments do not overlap.
Leaves alone: short loops, and positions that are read from what the loop writes.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, ext, memref, scf, transform

from bellrock.dialects.chunks import constant
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named

STRIP = 512
"""Positions of a strip: they stay in the L1 cache."""
SHORTEST = 64
"""Iterations of a loop that is worth it."""
_VIEWS = {
    "memref.subview",
    "memref.reinterpret_cast",
    "memref.cast",
    "memref.expand_shape",
    "memref.collapse_shape",
    "memref.extract_strided_metadata",
}


@edits_in_place(lambda op: _split_all(op))
class PositionsAheadOp(Bellrock.Operation, name="positions_ahead"):
    """Compute positions ahead in the loops below the handle's ops (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _split_all(root: ir.Operation) -> None:
    for loop in ops_named(root, "scf.for"):
        position = _position(loop)
        if position is not None:
            with loop.location:
                _split(loop, *position)


def _position(loop: ir.Operation) -> tuple[ir.Value, list[ir.Operation]] | None:
    """Return the position that a loop stores at, and the ops that compute it."""
    body = loop.regions[0].blocks[0]
    ops = [o.operation for o in body.operations]
    stores = [op for op in ops if op.name == "memref.store"]
    if len(loop.results) or any(len(op.regions) for op in ops) or len(stores) != 1:
        return None
    first, last, step = (_number(v) for v in list(loop.operands)[:3])
    if first is None or last is None or step != 1 or last - first < SHORTEST:
        return None
    for value in list(stores[0].operands)[2:]:
        makers = _makers(value, body)
        loads = [op for op in makers if op.name == "memref.load"]
        written = root_of(stores[0].operands[1])
        plain = all(op.name == "memref.load" or op.name.startswith("arith.") for op in makers)
        if plain and loads and all(root_of(op.operands[0]) != written for op in loads):
            return value, [op for op in ops if op in makers]
    return None


def _makers(value: ir.Value, body: ir.Block) -> set[ir.Operation]:
    """Return the ops of a block that a value depends on."""
    found: set[ir.Operation] = set()
    pending = [value]
    while pending:
        owner = pending.pop().owner
        if isinstance(owner, ir.Block) or owner.operation.block != body:
            continue
        if owner.operation not in found:
            found.add(owner.operation)
            pending += list(owner.operation.operands)
    return found


def root_of(buffer: ir.Value) -> ir.Value:
    """Return the buffer that a view is of."""
    while not isinstance(buffer.owner, ir.Block) and buffer.owner.operation.name in _VIEWS:
        buffer = buffer.owner.operation.operands[0]
    return buffer


def _number(value: ir.Value) -> int | None:
    owner = value.owner
    if isinstance(owner, ir.Block) or owner.operation.name != "arith.constant":
        return None
    return ir.IntegerAttr(owner.operation.attributes["value"]).value


def _split(loop: ir.Operation, position: ir.Value, makers: list[ir.Operation]) -> None:
    body = loop.regions[0].blocks[0]
    first, last = list(loop.operands)[:2]
    with ir.InsertionPoint(_outermost(loop)):
        table = memref.alloca(ir.MemRefType.get([STRIP], ir.IndexType.get()), [], [])
    with ir.InsertionPoint(loop):
        strips = scf.ForOp(first, last, constant(STRIP))
    with ir.InsertionPoint(strips.body):
        begin = strips.induction_variable
        count = arith.minsi(arith.subi(last, begin), constant(STRIP))
        ahead = scf.ForOp(constant(0), count, constant(1))
        updates = scf.ForOp(constant(0), count, constant(1))
        scf.YieldOp([])
    with ir.InsertionPoint(ahead.body):
        j = ahead.induction_variable
        known = {body.arguments[0]: arith.addi(begin, j)}
        for op in makers:
            _clone(op, known)
        memref.StoreOp(known[position], table, [j])
        scf.YieldOp([])
    with ir.InsertionPoint(updates.body):
        j = updates.induction_variable
        known = {body.arguments[0]: arith.addi(begin, j)}
        known[position] = memref.LoadOp(table, [j]).result
        for op in body.operations:
            if op.operation != position.owner.operation:
                _clone(op.operation, known)
    loop.erase()


def _clone(op: ir.Operation, known: dict[ir.Value, ir.Value]) -> None:
    clone = op.clone()
    for i, value in enumerate(op.operands):
        if value in known:
            clone.operands[i] = known[value]
    known.update(zip(op.results, clone.results, strict=True))


def _outermost(loop: ir.Operation) -> ir.Operation:
    """Return the ancestor whose place is reached once for each block or call: for an alloca."""
    while loop.parent.operation.name in ("scf.for", "scf.if"):
        loop = loop.parent.operation
    return loop


OPS = (PositionsAheadOp,)
