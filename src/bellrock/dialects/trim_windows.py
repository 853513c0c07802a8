"""`transform.bellrock.trim_windows`: inputs of windowed ops are as large as they are read.

A pooling whose last window ends before its input does leaves a border unread. Upstream's
`linalg-fold-unit-extent-dims` then folds an output dimension of size 1 into a map that says
the whole input is read, and breaks the op.

Rewrite (windows of 2 at stride 2 over 3 elements: one window):
    linalg.generic {maps = [(o, k) -> (o * 2 + k), ...]} ins(%x : tensor<3xf32>, ...)
  ->
    %y = tensor.extract_slice %x[0] [2] [1]
    linalg.generic {maps = [(o, k) -> (o * 2 + k), ...]} ins(%y : tensor<2xf32>, ...)
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, tensor, transform

from bellrock.dialects.extension import Bellrock, each_op, edits_in_place
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.loop_order import coefficients, loop_sizes


@edits_in_place(lambda op: each_op(op, "linalg.generic", _trim))
class TrimWindowsOp(Bellrock.Operation, name="trim_windows"):
    """Slice the inputs of generics below the handle's ops to what their windows cover."""

    target: ext.Operand[transform.AnyOpType]


def _trim(op: ir.Operation) -> None:
    sizes = loop_sizes(op)
    for i, access in enumerate(maps_of(op)):
        kind = op.operands[i].type
        if not isinstance(kind, ir.RankedTensorType) or access.is_projected_permutation:
            continue
        needed = [_extent(e, sizes, s) for e, s in zip(access.results, kind.shape, strict=True)]
        if needed != list(kind.shape):
            small = ir.RankedTensorType.get(needed, kind.element_type)
            zeros, ones = [0] * len(needed), [1] * len(needed)
            op.operands[i] = tensor.ExtractSliceOp(
                small, op.operands[i], [], [], [], zeros, needed, ones
            ).result


def _extent(expr: ir.AffineExpr, sizes: dict[int, int], actual: int) -> int:
    """Return how many elements of a dimension an index expression reaches."""
    if not isinstance(expr, ir.AffineAddExpr):
        return actual
    terms = coefficients(expr)
    if not terms or any(d not in sizes or c < 0 for d, c in terms.items()):
        return actual
    return min(actual, 1 + sum(c * (sizes[d] - 1) for d, c in terms.items()))


OPS = (TrimWindowsOp,)
