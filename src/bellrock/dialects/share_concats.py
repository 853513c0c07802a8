"""`transform.bellrock.share_concats`: a concatenation starts from a shorter one of the same values.

Densely connected networks concatenate all earlier results at each layer: n layers make n * n / 2
copies, each a kernel of its own shape. Where a concatenation of the first few operands exists
already, the longer one copies that as a whole, and n layers make 2 * n copies.

Rewrite:
    %p = tensor.concat dim(1) %a, %b;  %q = tensor.concat dim(1) %a, %b, %c
  ->
    %p = tensor.concat dim(1) %a, %b;  %q = tensor.concat dim(1) %p, %c
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named


@edits_in_place(lambda op: _share_all(op))
class ShareConcatsOp(Bellrock.Operation, name="share_concats"):
    """Let concatenations below the handle's ops start from earlier ones of their block."""

    target: ext.Operand[transform.AnyOpType]


def _share_all(root: ir.Operation) -> None:
    known: dict[tuple[ir.Block, int, tuple[ir.Value, ...]], ir.Value] = {}
    for op in ops_named(root, "tensor.concat"):
        dim = ir.IntegerAttr(op.attributes["dim"]).value
        operands = tuple(op.operands)
        result = _shared(op, dim, operands, known)
        known[op.block, dim, operands] = result
        if result != op.results[0]:
            op.results[0].replace_all_uses_with(result)
            op.erase()


def _shared(
    op: ir.Operation,
    dim: int,
    operands: tuple[ir.Value, ...],
    known: dict[tuple[ir.Block, int, tuple[ir.Value, ...]], ir.Value],
) -> ir.Value:
    """Return the concatenation of the operands, made from the longest known beginning."""
    for length in range(len(operands), 1, -1):
        beginning = known.get((op.block, dim, operands[:length]))
        if beginning is None:
            continue
        if length == len(operands):
            return beginning
        with ir.InsertionPoint(op), op.location:
            rest = list(operands[length:])
            return tensor.ConcatOp(op.results[0].type, dim, [beginning, *rest]).result
    return op.results[0]


OPS = (ShareConcatsOp,)
