"""How vectors of two operands are multiplied and added to accumulators.

Flows in: vectors as they lie in memory. Flows out: accumulators. An operand is held in *units*:
a unit is what one lane of one multiplication takes of the depth (k): one element, or a pair of
bf16 in an i32 where the processor has a dot product of pairs. Narrow types that have none are
widened to the accumulator's type.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, vector, x86

from bellrock.dialects.contraction.loops import (
    Condition,
    Size,
    add,
    at_most,
    choose,
    minimum,
    subtract,
    value,
)

_KEEP = 3
"""Hint of a prefetch: into the nearest cache."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """One kind of multiplication."""

    lanes: int
    """Accumulators in one vector."""
    accumulator: ir.Type
    pairs: bool
    """Whether a unit is a pair of bf16."""

    @property
    def depth(self) -> int:
        """Elements of k in a unit."""
        return 2 if self.pairs else 1

    @property
    def unit(self) -> ir.Type:
        """Type of a unit in a panel."""
        return ir.IntegerType.get_signless(32) if self.pairs else self.accumulator

    def sums(self) -> ir.VectorType:
        """Return the type of a vector of accumulators."""
        return ir.VectorType.get([self.lanes], self.accumulator)

    def units(self) -> ir.VectorType:
        """Return the type of a vector of units."""
        return ir.VectorType.get([self.lanes], self.unit)

    def zeros(self) -> ir.Value:
        """Return a vector of zero units."""
        return splat(self.units(), 0)

    def multiply_add(self, left: ir.Value, right: ir.Value, total: ir.Value) -> ir.Value:
        """Return `total + left * right`, lane by lane; a pair adds both products."""
        if not self.pairs:
            return vector.fma(left, right, total)
        kind = ir.VectorType.get([2 * self.lanes], ir.BF16Type.get())
        left, right = vector.bitcast(kind, left), vector.bitcast(kind, right)
        return x86.avx512_dot(total, left, right)

    def repeat(self, unit: ir.Value) -> ir.Value:
        """Return a unit in every lane."""
        return vector.broadcast(self.units(), unit)

    def along(self, view: ir.Value, row: Size, start: Size, left: Size) -> ir.Value:
        """Return the units `start...` of a row of a view whose k lies along memory.

        Args:
            view: of the operand.
            row: position along the operand's other dimension.
            start: first element of k.
            left: elements of k from there on; units beyond are zero.
        """
        loaded = load(view, row, start, self.lanes * self.depth, left)
        return vector.bitcast(self.units(), loaded) if self.pairs else self._widened(loaded)

    def across(
        self, view: ir.Value, start: Size, left: Size, column: Size, count: Size
    ) -> ir.Value:
        """Return one unit of each of `count` columns; k runs down the rows of the view.

        Args:
            view: of the operand.
            start: first element of k.
            left: elements of k from there on; a unit's elements beyond are zero.
            column: first column.
            count: columns from there on.
        """
        rows = []
        for row in range(self.depth):
            there = count if row == 0 else choose(at_most(row + 1, left), count, 0)
            # A row beyond the end is not read; its address stays inside the view.
            index = add(start, row if row == 0 else minimum(row, subtract(left, 1)))
            rows.append(load(view, index, column, self.lanes, there))
        if not self.pairs:
            return self._widened(rows[0])
        return vector.bitcast(self.units(), vector.interleave(*rows))

    def one(self, view: ir.Value, row: Size, start: Size, left: Size, *, by_rows: bool) -> ir.Value:
        """Return one unit, element by element.

        Args:
            view: of the operand.
            row: position along the operand's other dimension.
            start: first element of k.
            left: elements of k from there on.
            by_rows: whether k is the second dimension of the view.
        """
        elements = []
        for step in range(self.depth):
            index = add(start, minimum(step, subtract(left, 1)) if step else 0)
            place = [value(row), value(index)] if by_rows else [value(index), value(row)]
            element = memref.load(view, place)
            inside = True if step == 0 else at_most(step + 1, left)
            elements.append(_or_zero(inside, element))
        if not self.pairs:
            return self._widened(elements[0])
        both = vector.from_elements(ir.VectorType.get([2], ir.BF16Type.get()), elements)
        return vector.extract(
            vector.bitcast(ir.VectorType.get([1], self.unit), both),
            dynamic_position=[], static_position=[0],
        )  # fmt: skip

    def packed(self, panels: ir.Value, at: list[Size], number: int) -> ir.Value:
        """Return a vector of units of a packed operand, whose elements are as in the operand.

        Args:
            panels: by panel, unit and element.
            at: panel and unit.
            number: of the vector.
        """
        elements = self.lanes * self.depth
        kind = ir.VectorType.get([elements], panels.type.element_type)
        loaded = vector.load(kind, panels, [value(p) for p in (*at, number * elements)])
        return vector.bitcast(self.units(), loaded) if self.pairs else self._widened(loaded)

    def _widened(self, loaded: ir.Value) -> ir.Value:
        kind = loaded.type
        if isinstance(kind, ir.VectorType):
            same = kind.element_type == self.accumulator
            wide = ir.VectorType.get(kind.shape, self.accumulator)
        else:
            same, wide = kind == self.accumulator, self.accumulator
        return loaded if same else arith.extf(wide, loaded)


def splat(kind: ir.VectorType, number: float) -> ir.Value:
    """Return a constant vector of one number."""
    element = kind.element_type
    if isinstance(element, ir.IntegerType):
        attribute: ir.Attribute = ir.IntegerAttr.get(element, int(number))
    else:
        attribute = ir.FloatAttr.get(element, number)
    return arith.constant(kind, ir.DenseElementsAttr.get_splat(kind, attribute))


def load(view: ir.Value, row: Size, column: Size, lanes: int, count: Size) -> ir.Value:
    """Load `lanes` elements of a row; those from `count` on are zero and are not read."""
    kind = ir.VectorType.get([lanes], view.type.element_type)
    place = [value(row), value(column)]
    if isinstance(count, int) and count >= lanes:
        return vector.load(kind, view, place)
    return vector.maskedload(kind, view, place, mask(lanes, count), splat(kind, 0))


def store(vector_value: ir.Value, view: ir.Value, row: Size, column: Size, count: Size) -> None:
    """Store the first `count` elements of a vector into a row."""
    (lanes,) = vector_value.type.shape
    place = [value(row), value(column)]
    if isinstance(count, int) and count >= lanes:
        vector.store(vector_value, view, place)
    else:
        vector.maskedstore(view, place, mask(lanes, count), vector_value)


def prefetch(view: ir.Value, row: Size, column: Size, *, write: bool = False) -> None:
    """Ask for the line of an element, to be read or written soon."""
    memref.prefetch(
        view, [value(row), value(column)],
        is_write=write, locality_hint=_KEEP, is_data_cache=True,
    )  # fmt: skip


def mask(lanes: int, count: Size) -> ir.Value:
    """Return a mask of the first `count` lanes."""
    kind = ir.VectorType.get([lanes], ir.IntegerType.get_signless(1))
    return vector.create_mask(kind, [value(count)])


def _or_zero(inside: Condition, element: ir.Value) -> ir.Value:
    if isinstance(inside, bool):
        return element if inside else arith.constant(element.type, 0.0)
    return arith.select(inside, element, arith.constant(element.type, 0.0))
