"""`transform.bellrock.pad_fixed_factors`: weights that block loads refuse are copied once.

A factor that 2-d block loads refuse is copied for them before the product (`packing`). Where it is
a fixed argument, that would be the same copy at each call: here it becomes an op of its own, before
kernels are made, and `hoist_preparation` then moves it to where weights are prepared.

Rewrite (7 columns, rows of 32 elements that end with zeros):
    %r = linalg.generic (product) ins(%x, %w : tensor<300x9xf16>, tensor<9x7xf16>)
  ->
    %p = linalg.generic { column < 7 ? %w[row, column] : 0 } -> tensor<9x32xf16>
    %s = tensor.extract_slice %p[0, 0] [9, 7] [1, 1]
    %r = linalg.generic (product) ins(%x, %s ..) attrs = {bellrock.padded = array<i64: 1>}

Leaves alone: factors that are packed at each call in another order than they lie in, and rows so
short that the copy would be more than twice as large.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Iterator

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.grouping import VIEWS, Group
from bellrock.dialects.matrix_engine.lowering import read_choice
from bellrock.dialects.matrix_engine.packing import Packing, is_packed
from bellrock.dialects.matrix_engine.reading import PADDED, read_engine_kernel
from bellrock.dialects.outlining import anchor_of, drafted
from bellrock.dialects.preparation import fixed_arguments

GROWTH = 2
"""A copy may have so many times the bytes of what it is made of: preparation keeps no larger."""


@edits_in_place(lambda op: _pad_all(op))
class PadFixedFactorsOp(Bellrock.Operation, name="pad_fixed_factors"):
    """Pad the fixed factors of the products below the handle (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _pad_all(root: ir.Operation) -> None:
    for function in ops_named(root, "func.func"):
        fixed = fixed_arguments(function)
        if not fixed:
            continue
        arguments = {function.regions[0].blocks[0].arguments[i] for i in fixed}
        for op in ops_named(function, "linalg.generic"):
            if read_choice(op) is None or not any(_root(v) in arguments for v in op.operands):
                continue
            for number, rows, columns in list(_wanted(function, op)):
                if _root(op.operands[number]) in arguments:
                    _pad(op, number, rows, columns)


def _root(value: ir.Value) -> ir.Value:
    """Return what a tensor is a view of."""
    while not isinstance(value.owner, ir.Block):
        owner = value.owner.operation
        if owner.name not in (*VIEWS, "tensor.extract_slice") or len(owner.operands) != 1:
            return value
        value = owner.operands[0]
    return value


def _wanted(function: ir.Operation, op: ir.Operation) -> Iterator[tuple[int, int, int]]:
    """Yield the operands that would be copied as they lie: number, rows, columns."""
    with ir.InsertionPoint(function), op.location:
        trial = drafted(Group([op], anchor=op))
    anchor = anchor_of(trial)
    kernel = None if anchor is None else read_engine_kernel(trial, anchor)
    found: list[tuple[int, int, int]] = []
    for side in () if kernel is None else (kernel.a, kernel.b):
        assert anchor is not None
        assert kernel is not None
        if not is_packed(kernel, side):
            continue
        packing = Packing(kernel, side)
        outer = (*packing.batch.numbers, *packing.tall.numbers)
        in_order = [e.loop for e in side.access] == [*outer, *packing.wide.numbers]
        if in_order and packing.pitch <= GROWTH * packing.wide.size:
            number = list(anchor.operands).index(side.value)
            found.append((number, packing.batch.size * packing.tall.size, packing.wide.size))
    trial.erase()
    yield from found


def _pad(op: ir.Operation, number: int, rows: int, columns: int) -> None:
    """Let a product read an operand from rows that end with zeros."""
    value = op.operands[number]
    kind = ir.RankedTensorType(value.type)
    shape, element = list(kind.shape), kind.element_type
    with ir.InsertionPoint(op), op.location:
        flat = value if shape == [rows, columns] else _reshaped(value, [rows, columns], shape)
        padded = _padded(flat, Packing.pitch_of(columns))
        part = ir.RankedTensorType.get([rows, columns], element)
        seen = tensor.ExtractSliceOp(
            part, padded, [], [], [], [0, 0], [rows, columns], [1, 1]
        ).result
        op.operands[number] = seen if shape == [rows, columns] else _reshaped(seen, shape, shape)
    known = list(ir.DenseI64ArrayAttr(op.attributes[PADDED])) if PADDED in op.attributes else []
    op.attributes[PADDED] = ir.DenseI64ArrayAttr.get([*known, number], op.context)


def _reshaped(value: ir.Value, result: list[int], whole: list[int]) -> ir.Value:
    """Return a value as a matrix or, the other way round, with all dimensions.

    Args:
        value: with one of these shapes.
        result: the other one.
        whole: all dimensions; the first of them are the rows.
    """
    kind = ir.RankedTensorType(value.type)
    made = ir.RankedTensorType.get(result, kind.element_type)
    matrix = list(kind.shape) if list(kind.shape) != whole else result
    cut = next(i for i in range(1, len(whole)) if math.prod(whole[:i]) == matrix[0])
    groups = [list(range(cut)), list(range(cut, len(whole)))]
    if result == whole:
        return tensor.ExpandShapeOp(made, value, groups, [], whole).result
    return tensor.CollapseShapeOp(made, value, groups).result


def _padded(flat: ir.Value, pitch: int) -> ir.Value:
    """Return a matrix with zeros behind each row."""
    kind = ir.RankedTensorType(flat.type)
    rows, columns = kind.shape
    element = kind.element_type
    empty = tensor.EmptyOp([rows, pitch], element).result
    identity = ir.AffineMapAttr.get(ir.AffineMap.get_identity(2))
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    made = linalg.GenericOp(
        [empty.type], [], [empty], ir.ArrayAttr.get([identity]), ir.ArrayAttr.get([parallel] * 2)
    )
    body = made.regions[0].blocks.append(element)
    with ir.InsertionPoint(body):
        row, column = (linalg.IndexOp(dimension).result for dimension in (0, 1))
        last = arith.constant(ir.IndexType.get(), columns - 1)
        inside = arith.cmpi(arith.CmpIPredicate.ule, column, last)
        found = tensor.extract(flat, [row, arith.minui(column, last)])
        linalg.YieldOp([arith.select(inside, found, arith.constant(element, 0.0))])
    return made.results[0]


OPS = (PadFixedFactorsOp,)
