"""`transform.bellrock.clamp_gathers`: element reads at computed indices stay in bounds.

PyTorch raises on an index that is out of range; the front end turns that into `cf.assert`,
which would abort the whole process, sits inside loops, and keeps them from being
vectorised. Here the assert goes, and the index is clamped to the tensor instead: a wrong
index gives a wrong element, never a wild read (the rule of XLA's gather).

Rewrite:
    cf.assert %ok; %e = tensor.extract %t[%i, %computed]
  ->
    %e = tensor.extract %t[%i, min(max(%computed, 0), dim - 1)]
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, ext, transform

from bellrock.dialects.extension import Bellrock, each_op, edits_in_place, ops_named

_IN_BOUNDS = {"linalg.index", "arith.constant"}


@edits_in_place(lambda op: _clamp_all(op))
class ClampGathersOp(Bellrock.Operation, name="clamp_gathers"):
    """Clamp data-dependent indices below the handle's ops, and drop their asserts."""

    target: ext.Operand[transform.AnyOpType]


def _clamp_all(root: ir.Operation) -> None:
    for check in ops_named(root, "cf.assert"):
        check.erase()
    each_op(root, "tensor.extract", _clamp)


def _clamp(op: ir.Operation) -> None:
    shape = op.operands[0].type.shape
    zero = None
    for d, size in enumerate(shape):
        index = op.operands[d + 1]
        if isinstance(index.owner, ir.Block) or index.owner.operation.name in _IN_BOUNDS:
            continue
        if _is_clamped(index, size):
            continue
        kind = ir.IndexType.get(op.context)
        zero = zero or arith.ConstantOp(kind, 0).result
        last = arith.ConstantOp(kind, size - 1).result
        op.operands[d + 1] = arith.minsi(arith.maxsi(index, zero), last)


def _is_clamped(index: ir.Value, size: int) -> bool:
    """Whether an index is min(max(_, a), b), 0 <= a and b < size."""
    above = _limit(index, "arith.minsi")
    below = None if above is None else _limit(index.owner.operation.operands[0], "arith.maxsi")
    return above is not None and below is not None and below >= 0 and above < size


def _limit(value: ir.Value, name: str) -> int | None:
    """Return the constant that a value is the extremum with."""
    if isinstance(value.owner, ir.Block) or value.owner.operation.name != name:
        return None
    owner = value.owner.operation.operands[1].owner
    if isinstance(owner, ir.Block) or owner.operation.name != "arith.constant":
        return None
    return ir.IntegerAttr(owner.operation.attributes["value"]).value


OPS = (ClampGathersOp,)
