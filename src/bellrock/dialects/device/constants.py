"""`transform.bellrock.load_constants`: tables that kernels read are data of a device module.

A constant whose elements differ would stay in the host function, which would hand its own address
to a device that cannot read it.

Rewrite:
    %c = arith.constant dense<[1.0, 2.5]> : tensor<2xf32>
    use %c
  ->
    %c = arith.constant {bellrock.inside} dense<[1.0, 2.5]>
    %d = linalg.copy ins(%c) outs(tensor.empty)
    use %d

The copy becomes a kernel (of its own, or part of the one that uses it), and the attribute takes
the constant into it; what is a kernel of its own is prepared once.
Leaves alone: constants of one value, which are filled in.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.grouping import INSIDE, is_table


@edits_in_place(lambda op: _load_all(op))
class LoadConstantsOp(Bellrock.Operation, name="load_constants"):
    """Make the tables below the handle's ops data of kernels."""

    target: ext.Operand[transform.AnyOpType]


def _load_all(root: ir.Operation) -> None:
    for op in ops_named(root, "arith.constant"):
        if not is_table(op) or INSIDE in op.attributes:
            continue
        kind = ir.RankedTensorType(op.results[0].type)
        uses = list(op.results[0].uses)
        with ir.InsertionPoint.after(op), op.location:
            empty = tensor.EmptyOp(list(kind.shape), kind.element_type).result
            copy = linalg.copy(op.results[0], outs=[empty])
        for use in uses:
            use.owner.operation.operands[use.operand_number] = copy
        op.attributes[INSIDE] = ir.UnitAttr.get(op.context)


OPS = (LoadConstantsOp,)
