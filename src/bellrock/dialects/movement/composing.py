"""`transform.bellrock.compose_movement`: what is put together of parts is written in one pass.

Missing upstream: slices, concatenations, pads and transposes each become a copy (a kernel of its
own here), also where the next one copies its result again. Here a chain of them is read as parts
of the tensors that it began with (`pieces`), and written by one parallel loop (`writing`).

Rewrite:
    %p = insert_slice (copy %x[::2]) into %empty[0, 0];  %q = insert_slice (copy %y) into %p[5, 0]
    %r = insert_slice (copy %q) into (fill 0.5)[1, 3]
  ->
    %r = scf.forall %block { copy %x's part; copy %y's part; fill what is around them }

Needs: static positions. Leaves alone: what a kernel computes straight into its place, what
is read before it is complete, insertions into tensors that hold something already, and pads
that only windows read.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.movement.pieces import TooManyPiecesError, looks_through, pieces_of
from bellrock.dialects.movement.writing import write_pieces
from bellrock.dialects.pads import PAD

_FREE = {"tensor.extract_slice", "tensor.empty", "linalg.fill", "linalg.copy"}
"""Looked through whoever else reads them: what they do costs nothing, or is done once anyway."""


@edits_in_place(lambda op: _compose_all(op))
class ComposeMovementOp(Bellrock.Operation, name="compose_movement"):
    """Compose the data movement below the handle's ops (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _compose_all(root: ir.Operation) -> None:
    moving: dict[ir.Operation, None] = {}

    def visit(op: ir.Operation) -> ir.WalkResult:
        if PAD not in op.attributes and looks_through(op):
            moving[op] = None
        return ir.WalkResult.ADVANCE

    root.walk(visit, ir.WalkOrder.PRE_ORDER)
    left = set(moving)
    for op in reversed(list(moving)):
        if op in left and op.name not in _FREE and len(list(op.results[0].uses)):
            chain = _chain(op, left)
            if _pays(op, chain) and _compose(op, chain):
                left -= {o for o in chain if o.name not in _FREE}
    for op in reversed(list(moving)):
        if not len(list(op.results[0].uses)):
            op.erase()


def _chain(end: ir.Operation, moving: set[ir.Operation]) -> set[ir.Operation]:
    """Return the ops through which the parts of an op's result come, and nothing else leaves."""
    allowed = {op for op in moving if op.block == end.block}
    while True:
        chain: set[ir.Operation] = set()
        pending = [end]
        while pending:
            op = pending.pop()
            if op in chain:
                continue
            chain.add(op)
            owners = [v.owner for v in op.operands if not isinstance(v.owner, ir.Block)]
            pending += [o.operation for o in owners if o.operation in allowed]
        seen_elsewhere = {
            op
            for op in chain
            if op != end and op.name not in _FREE
            and any(u.owner.operation not in chain for u in op.results[0].uses)
        }  # fmt: skip
        if not seen_elsewhere:
            return chain
        allowed -= seen_elsewhere


def _pays(end: ir.Operation, chain: set[ir.Operation]) -> bool:
    """Whether several passes become one, and none of them is another kernel's store."""
    passes = [op for op in chain if op.name not in _FREE]
    filled = any(op.name == "linalg.fill" for op in chain)
    if len(passes) + filled < 2:
        return False
    for op in passes:
        if op.name != "tensor.insert_slice":
            continue
        source, into = op.operands[0], op.operands[1]
        if isinstance(into.owner, ir.Block) or into.owner.operation not in chain:
            return False
        if isinstance(source.owner, ir.Block) or source.owner.operation not in chain:
            return False
    return True


def _compose(end: ir.Operation, chain: set[ir.Operation]) -> bool:
    result = end.results[0]
    try:
        pieces = pieces_of(result, chain)
    except TooManyPiecesError:
        return False
    with ir.InsertionPoint(end), end.location:
        result.replace_all_uses_with(write_pieces(ir.RankedTensorType(result.type), pieces))
    return True


OPS = (ComposeMovementOp,)
