"""Where an element of a view is in what it is a view of: indices through reshapes and slices.

Flows in: points (an index for each dimension), ops of the tensor dialect. Flows out: points of
their operands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.operands import row_major
from bellrock.dialects.vector_code import Index
from bellrock.payload.motifs.access import Access, Expr

_SHORT = 1 << 31
"""Sizes below this are divided in 32 bits."""
Point = tuple[Index, ...]
"""An index for each dimension of a tensor."""


def linear(point: Sequence[Index], strides: Sequence[int]) -> Index:
    """Return the sum of indices times strides."""
    return code.add(*(code.scaled(i, s) for i, s in zip(point, strides, strict=True)))


def split(index: Index, sizes: Sequence[int]) -> list[Index]:
    """Return the indices of several loops from that of all of them in order."""
    found: list[Index] = []
    divide = short_quotient if math.prod(sizes) < _SHORT else code.quotient
    for size in reversed(sizes[1:]):
        index, rest = divide(index, size)
        found.append(rest)
    return [index, *reversed(found)] if sizes else []


def short_quotient(a: Index, b: int) -> tuple[Index, Index]:
    """Return the quotient and remainder of an index that 32 bits hold, which is much cheaper."""
    if isinstance(a, int) or b == 1:
        return code.quotient(a, b)
    i32, index = ir.IntegerType.get_signless(32), ir.IndexType.get()
    narrow, by = arith.index_castui(i32, a), arith.constant(i32, b)
    quotient, rest = arith.divui(narrow, by), arith.remui(narrow, by)
    return arith.index_castui(index, quotient), arith.index_castui(index, rest)


def indices(access: Access, loops: Sequence[Index]) -> Point:
    """Return where an operand is accessed."""
    return tuple(_index(e, loops) for e in access)


def _index(expr: Expr, loops: Sequence[Index]) -> Index:
    return code.add(expr.constant, *(code.scaled(loops[loop], c) for loop, c in expr.terms))


def groups_of(op: ir.Operation) -> list[list[int]]:
    """Return the dimensions that a reshape splits or joins."""
    return [
        [ir.IntegerAttr(i).value for i in ir.ArrayAttr(g)]
        for g in ir.ArrayAttr(op.attributes["reassociation"])
    ]


def reshaped_point(op: ir.Operation, point: Point) -> Point:
    """Return where an element of a reshape's result is in its operand."""
    if op.name == "tensor.expand_shape":
        shape = ir.RankedTensorType(op.results[0].type).shape
        return tuple(
            linear([point[d] for d in group], row_major([shape[d] for d in group]))
            for group in groups_of(op)
        )
    return collapsed_point(op, point)


def collapsed_point(op: ir.Operation, point: Point) -> Point:
    """Return where an element of a `collapse_shape`'s result is in its operand."""
    shape = ir.RankedTensorType(op.operands[0].type).shape
    found: list[Index] = [0] * len(shape)
    for index, group in zip(point, groups_of(op), strict=True):
        for d, part in zip(group, split(index, [shape[d] for d in group]), strict=True):
            found[d] = part
    return tuple(found)


def slice_of(op: ir.Operation) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return the offsets, sizes and strides of a slice that is known."""
    offsets, sizes, steps = (
        tuple(ir.DenseI64ArrayAttr(op.attributes[n]))
        for n in ("static_offsets", "static_sizes", "static_strides")
    )
    return offsets, sizes, steps


def is_dynamic(number: int) -> bool:
    """Whether an offset of a slice stands for one that is known later."""
    return number == ir.ShapedType.get_dynamic_size()


def has_known_shape(op: ir.Operation) -> bool:
    """Whether the sizes and steps of a slice are known."""
    _, sizes, steps = slice_of(op)
    return not any(is_dynamic(n) for n in (*sizes, *steps))


def offsets_by_argument(op: ir.Operation) -> list[int | ir.Value] | None:
    """Return a slice's offsets: numbers, or the function's arguments that they are.

    None where it is of another form: an offset is computed, or its sizes or steps are not known.
    """
    offsets, _, _ = slice_of(op)
    given = [v for v in op.operands if isinstance(v.type, ir.IndexType)]
    if not has_known_shape(op):
        return None
    if any(not isinstance(v.owner, ir.Block) for v in given):
        return None
    left = iter(given)
    return [next(left) if is_dynamic(n) else n for n in offsets]


def kept_dimensions(sizes: Sequence[int], shape: Sequence[int]) -> list[int]:
    """Return which dimensions of a slice a tensor has that may lack some of size 1."""
    kept: list[int] = []
    for dimension, size in enumerate(sizes):
        if len(kept) < len(shape) and shape[len(kept)] == size:
            kept.append(dimension)
    return kept


def sliced_point(op: ir.Operation, point: Point, arguments: Sequence[ir.Value]) -> Point:
    """Return where an element of a slice is in its operand.

    Args:
        op: the slice.
        point: of its result.
        arguments: the new function's, by number of the old one's.
    """
    _, sizes, steps = slice_of(op)
    named = offsets_by_argument(op)
    assert named is not None, "only what is readable is asked for"
    offsets = [
        n if isinstance(n, int) else arguments[ir.BlockArgument(n).arg_number] for n in named
    ]
    shape = tuple(ir.RankedTensorType(op.results[0].type).shape)
    found: list[Index] = list(offsets)
    for d, index in zip(kept_dimensions(sizes, shape), point, strict=True):
        found[d] = code.add(offsets[d], code.scaled(index, steps[d]))
    return tuple(found)


def within(index: Index, offset: int, size: int, step: int) -> tuple[ir.Value | None, Index]:
    """Return whether an index is in a slice (None: it is), and where: at 0 if it is not."""
    if isinstance(index, int):
        place, rest = divmod(index - offset, step)
        if rest == 0 and 0 <= place < size:
            return None, place
        return arith.constant(ir.IntegerType.get_signless(1), 0), 0
    place = code.as_value(code.subtract(index, offset))
    inside = code.below(place, (size - 1) * step + 1)
    place = arith.select(inside, place, code.as_value(0))
    if step > 1:
        at, rest = code.quotient(place, step)
        on = arith.cmpi(arith.CmpIPredicate.eq, code.as_value(rest), code.as_value(0))
        return arith.andi(inside, on), at
    return inside, place


def both(a: ir.Value | None, b: ir.Value | None) -> ir.Value | None:
    """Return whether both hold; None stands for true."""
    if a is None or b is None:
        return b if a is None else a
    return arith.andi(a, b)
