"""`transform.bellrock.settle_indices`: what is known of an index is not computed.

Missing upstream: `int-range-optimizations` does not know between which numbers `linalg.index` lies.
PyTorch adds the size to an index that is negative, and `clamp_gathers` keeps computed ones within
their tensors; once a gather's index is computed in its body from loops alone, both are often
known to change nothing, and without them its address is a linear expression of the loops.

Rewrite (of a loop of 4 iterations):
    %r = subi 3, %i;  %s = select (%r < 0), %r + 4, %r;  %p = minsi (maxsi %s, 0), 3
  ->
    %p = subi 3, %i
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, each_op, edits_in_place
from bellrock.dialects.index_ranges import IndexRanges
from bellrock.dialects.loop_order import loop_sizes


@edits_in_place(lambda op: each_op(op, "linalg.generic", _settle))
class SettleIndicesOp(Bellrock.Operation, name="settle_indices"):
    """Settle indices in the bodies of the generics below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


def _settle(generic: ir.Operation) -> None:
    ranges = IndexRanges(loop_sizes(generic))
    for op in (o.operation for o in generic.regions[0].blocks[0].operations):
        known = _known(op, ranges)
        if known is not None:
            op.results[0].replace_all_uses_with(known)


def _known(op: ir.Operation, ranges: IndexRanges) -> ir.Value | None:
    """Return the operand that an op always gives."""
    if op.name == "arith.select":
        decided = ranges.decided(op.operands[0])
        return None if decided is None else op.operands[1 if decided else 2]
    if op.name not in ("arith.maxsi", "arith.minsi"):
        return None
    first, second = op.operands
    a, b = ranges.of(first), ranges.of(second)
    if a is None or b is None:
        return None
    larger = first if a[0] >= b[1] else second if b[0] >= a[1] else None
    smaller = first if a[1] <= b[0] else second if b[1] <= a[0] else None
    return larger if op.name == "arith.maxsi" else smaller


OPS = (SettleIndicesOp,)
