"""`transform.bellrock.share_positions`: slices that differ in their position only are one op.

A recurrence written as a loop in Python arrives unrolled: step t reads slice t of its input and
writes slice t of its output. With the position inside, each step is a kernel of its own to
compile; as an operand, all steps call one.

Rewrite, where slices of one shape have at least eight positions:
    tensor.extract_slice %x[7, 0, 0] [1, 8, 64] [1, 1, 1]
  ->
    %p = arith.constant {bellrock.position} 7 : index
    tensor.extract_slice %x[%p, 0, 0] [1, 8, 64] [1, 1, 1]

The constant stays in the host function: the attribute keeps it out of the kernels.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, ext, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.grouping import POSITION

_SLICES = ("tensor.extract_slice", "tensor.insert_slice")
_FEWEST = 8
"""Positions of alike slices from which on one kernel for all is worth an unknown offset in it."""


@edits_in_place(lambda op: _share_all(op))
class SharePositionsOp(Bellrock.Operation, name="share_positions"):
    """Make the offsets of alike slices below the handle's ops operands."""

    target: ext.Operand[transform.AnyOpType]


def _share_all(root: ir.Operation) -> None:
    alike: dict[tuple[object, ...], list[ir.Operation]] = {}
    for name in _SLICES:
        for op in ops_named(root, name):
            if op.parent.operation.name == "func.func" and not _is_dynamic(op):
                alike.setdefault(_without_offsets(op), []).append(op)
    for ops in alike.values():
        if len({tuple(_numbers(op, "static_offsets")) for op in ops}) >= _FEWEST:
            _make_dynamic(ops)


def _numbers(op: ir.Operation, name: str) -> list[int]:
    return list(ir.DenseI64ArrayAttr(op.attributes[name]))


def _is_dynamic(op: ir.Operation) -> bool:
    # Operands of the position, the sizes and the steps follow the tensors.
    return len(op.operands) > (1 if op.name == "tensor.extract_slice" else 2)


def _without_offsets(op: ir.Operation) -> tuple[object, ...]:
    types = tuple(str(value.type) for value in (*op.operands, *op.results))
    sizes, steps = (tuple(_numbers(op, f"static_{n}")) for n in ("sizes", "strides"))
    return (op.block, op.name, types, sizes, steps)


def _make_dynamic(ops: list[ir.Operation]) -> None:
    offsets = [_numbers(op, "static_offsets") for op in ops]
    varying = [len(set(column)) > 1 for column in zip(*offsets, strict=True)]
    block = ops[0].block
    constants: dict[int, ir.Value] = {}
    for op, starts in zip(ops, offsets, strict=True):
        positions = []
        for start in (s for s, moves in zip(starts, varying, strict=True) if moves):
            if start not in constants:
                constants[start] = _constant(block, start)
            positions.append(constants[start])
        unknown = ir.ShapedType.get_dynamic_stride_or_offset()
        static = [unknown if v else s for s, v in zip(starts, varying, strict=True)]
        _replace(op, static, positions)


def _constant(block: ir.Block, number: int) -> ir.Value:
    with ir.InsertionPoint.at_block_begin(block), ir.Location.unknown():
        made = arith.ConstantOp(ir.IndexType.get(), number)
    made.operation.attributes[POSITION] = ir.UnitAttr.get()
    return made.result


def _replace(op: ir.Operation, static: list[int], positions: list[ir.Value]) -> None:
    sizes, steps = (_numbers(op, f"static_{name}") for name in ("sizes", "strides"))
    with ir.InsertionPoint(op), op.location:
        if op.name == "tensor.extract_slice":
            made = tensor.ExtractSliceOp(
                op.results[0].type, op.operands[0], positions, [], [], static, sizes, steps
            )
        else:
            made = tensor.InsertSliceOp(
                op.operands[0], op.operands[1], positions, [], [], static, sizes, steps
            )
    for attribute in op.attributes:
        name = attribute if isinstance(attribute, str) else attribute.name
        if name not in made.operation.attributes:
            made.operation.attributes[name] = op.attributes[name]
    op.results[0].replace_all_uses_with(made.operation.results[0])
    op.erase()


OPS = (SharePositionsOp,)
