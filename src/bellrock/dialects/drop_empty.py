"""`transform.bellrock.drop_empty`: an op of no iterations is its initial value.

A product over no terms, or a map over no elements, is a loop nest with a loop of size 0.
Upstream keeps it, tiling divides by its sizes, and the guard of a first iteration is gone
once loops are rotated.

Rewrite (a sum over no terms):
    %r = linalg.generic {maps = [(o, k) -> (o, k), (o, k) -> (o)], ...}
      ins(%x : tensor<3x0xf32>) outs(%init : tensor<3xf32>)
  ->
    %init
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, each_op, edits_in_place
from bellrock.dialects.loop_order import loop_sizes


@edits_in_place(lambda op: each_op(op, "linalg.generic", _drop))
class DropEmptyOp(Bellrock.Operation, name="drop_empty"):
    """Replace generics on tensors below the handle's ops that iterate over nothing."""

    target: ext.Operand[transform.AnyOpType]


def _drop(op: ir.Operation) -> None:
    if 0 not in loop_sizes(op).values():
        return
    initial = list(op.operands)[len(op.operands) - len(op.results) :]
    for result, value in zip(op.results, initial, strict=True):
        result.replace_all_uses_with(value)
    op.erase()


OPS = (DropEmptyOp,)
