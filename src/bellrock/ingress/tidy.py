"""Small repairs of what torch-mlir leaves behind.

Flows in: a module in linalg-on-tensors form. Flows out: the same module, changed in place:

* Python numbers are constants of the type that they are used in (torch-mlir writes an f64
  constant and a truncation at each use);
* an index that comes from data is clamped to its dimension. torch-mlir asserts some of them
  and trusts the others; eager PyTorch raises an error for an index out of range, a compiled
  program reads the nearest element, and never memory that is not the tensor's.
"""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import arith


def tidy(module: ir.Module) -> None:
    """Make the repairs; see the module's docstring."""
    truncated: list[ir.Operation] = []
    extracts: list[ir.Operation] = []
    asserts: list[ir.Operation] = []
    found = {"arith.truncf": truncated, "tensor.extract": extracts, "cf.assert": asserts}

    def visit(op: ir.Operation) -> ir.WalkResult:
        if op.name in found:
            found[op.name].append(op)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    with module.context, ir.Location.unknown():
        for op in truncated:
            _narrow(op)
        for op in extracts:
            _clamp(op)
        for op in asserts:
            op.erase()


def _narrow(op: ir.Operation) -> None:
    constant = op.operands[0].owner
    if not isinstance(constant, ir.OpView | ir.Operation) or constant.name != "arith.constant":
        return
    value = constant.attributes["value"]
    if not isinstance(value, ir.FloatAttr):
        return
    with ir.InsertionPoint(op):
        narrow = arith.ConstantOp(op.result.type, ir.FloatAttr.get(op.result.type, value.value))
    op.result.replace_all_uses_with(narrow.result)
    op.erase()


def _clamp(op: ir.Operation) -> None:
    shape = ir.RankedTensorType(op.operands[0].type).shape
    for position, size in enumerate(shape):
        index = op.operands[position + 1]
        if not _from_data(index):
            continue
        with ir.InsertionPoint(op):
            zero = arith.ConstantOp(ir.IndexType.get(), 0)
            last = arith.ConstantOp(ir.IndexType.get(), size - 1)
            low = arith.MaxSIOp(index, zero.result)
            op.operands[position + 1] = arith.MinSIOp(low.result, last.result).result


def _from_data(value: ir.Value) -> bool:
    """Whether a value depends on a tensor's elements, rather than on positions alone."""
    if isinstance(value, ir.BlockArgument):
        # A loop's counter is in range by construction; elements of a generic's operands are not.
        return not isinstance(value.type, ir.IndexType)
    owner = value.owner
    if owner.name in ("tensor.extract", "arith.minsi"):
        return owner.name == "tensor.extract"
    return any(_from_data(operand) for operand in owner.operands)
