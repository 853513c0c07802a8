"""Operands of an attention's products, brought into the form in which register tiles read them.

Flows in: an operand in memory, a `Product`. Flows out: *units* (of one element in f32, or of a pair
of bf16 along what is summed) in buffers of the block.

Keys and values are scalars to the register tiles. Where they lie in memory as f32 they are read
there; else a block of them is copied, along whichever of its two dimensions lies side by side.
Queries go into vectors side by side: rows of memory are transposed in registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.block import Block
from bellrock.dialects.attention.factor import Factor
from bellrock.dialects.attention.score_stages import address
from bellrock.dialects.contraction.product import Product
from bellrock.dialects.convolution.operands import Operand
from bellrock.dialects.register_transpose import transposed
from bellrock.dialects.vector_code import Index


@dataclass(frozen=True, kw_only=True, slots=True)
class Scalars:
    """Where the units are that register tiles read one by one."""

    buffer: ir.Value
    base: Index
    row_step: int
    unit_step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """An operand of a product: rows of units."""

    name: str
    """Of its copy's buffer."""
    operand: Operand
    factor: Factor
    product: Product
    row: int
    """Loop along which each unit is another scalar of a register tile."""
    rows: int
    depth: int
    """Loop that is summed over."""
    size: int
    """Elements along it."""

    @property
    def units(self) -> int:
        """Units of a row."""
        return -(-self.size // self.product.depth)

    @property
    def copied(self) -> bool:
        """Whether register tiles read a copy."""
        return not self.factor.in_place

    @property
    def along(self) -> bool:
        """Whether the copy's rows follow each other, and not its columns."""
        return self.operand.stride(self.depth) == 1 or self.operand.stride(self.row) != 1

    @property
    def pitch(self) -> int:
        """Elements of the copy from one line of memory to the next: whole vectors."""
        lanes = self.product.lanes
        return -(-(self.units if self.along else self.rows) // lanes) * lanes

    @property
    def elements(self) -> int:
        """Elements of the copy."""
        return self.pitch * (self.rows if self.along else self.units)


def scalars_of(block: Block, matrix: Matrix, point: Mapping[int, Index]) -> Scalars:
    """Return the operand for register tiles, copied if it has to be.

    Args:
        block: with a buffer of the matrix's name, if it is copied.
        matrix: the operand.
        point: where its first element is.
    """
    operand, source = matrix.operand, block.arguments[matrix.operand.argument]
    if not matrix.copied:
        return Scalars(
            buffer=source, base=address(operand, point), row_step=operand.stride(matrix.row),
            unit_step=operand.stride(matrix.depth),
        )  # fmt: skip
    if matrix.along:
        _copy_along(block, matrix, point)
    else:
        _copy_across(block, matrix, point)
    steps = (matrix.pitch, 1) if matrix.along else (1, matrix.pitch)
    return Scalars(buffer=block.buffers[matrix.name], base=0, row_step=steps[0], unit_step=steps[1])


def _copy_along(block: Block, matrix: Matrix, point: Mapping[int, Index]) -> None:
    """Copy row after row, vectors of units at a time."""
    product = matrix.product
    with code.loop(0, matrix.rows) as row:
        here = {**point, matrix.row: code.add(point.get(matrix.row, 0), row)}
        at = code.scaled(row, matrix.pitch)

        def emit(start: Index, count: int) -> None:
            units = units_along(block, matrix, here, start, count)
            block.store(units, matrix.name, code.add(at, _quotient(start, product.depth)))

        code.chunks(matrix.size, product.lanes * product.depth, emit)


def _quotient(start: Index, depth: int) -> Index:
    return code.quotient(start, depth)[0]


def units_along(
    block: Block, matrix: Matrix, point: Mapping[int, Index], start: Index, count: int
) -> ir.Value:
    """Return units of one row as a vector of f32.

    Args:
        block: of the operand.
        matrix: the operand.
        point: where the row is.
        start: the first element of it.
        count: elements from there on; those behind the last are zero.
    """
    product, operand = matrix.product, matrix.operand
    lanes = product.lanes * product.depth
    source = block.arguments[operand.argument]
    at = address(operand, {**point, matrix.depth: code.add(point.get(matrix.depth, 0), start)})
    step = operand.stride(matrix.depth)
    mask = code.prefix_mask(lanes, count)
    loaded = (
        code.load(source, at, lanes, mask)
        if step == 1
        else code.gather(source, at, [i * step for i in range(lanes)], mask)
    )
    return _as_single(matrix.factor.emit(loaded, pairs=product.pairs), product)


def _copy_across(block: Block, matrix: Matrix, point: Mapping[int, Index]) -> None:
    """Copy line after line of units, whose rows lie side by side."""
    product = matrix.product
    whole = matrix.size // product.depth
    with code.loop(0, whole) as unit:
        _copy_line(block, matrix, point, unit, product.depth)
    if whole < matrix.units:
        _copy_line(block, matrix, point, whole, matrix.size - whole * product.depth)


def _copy_line(
    block: Block, matrix: Matrix, point: Mapping[int, Index], unit: Index, there: int
) -> None:
    """Copy one unit of every row, of which `there` elements are not behind the end."""
    product, operand = matrix.product, matrix.operand
    source = block.arguments[operand.argument]
    lines: list[Index] = []
    for i in range(there):
        depth = code.add(point.get(matrix.depth, 0), code.scaled(unit, product.depth), i)
        lines.append(address(operand, {**point, matrix.depth: depth}))

    def emit(start: Index, count: int) -> None:
        mask = code.prefix_mask(product.lanes, count)
        parts = [
            matrix.factor.emit(
                code.load(source, code.add(line, start), product.lanes, mask), pairs=product.pairs
            )
            for line in lines
        ]
        if product.pairs and there == 1:
            parts.append(code.zeros(product.lanes, matrix.factor.element))
        at = code.add(code.scaled(unit, matrix.pitch), start)
        block.store(joined(parts, product), matrix.name, at)

    code.chunks(matrix.rows, product.lanes, emit)


def joined(parts: list[ir.Value], product: Product) -> ir.Value:
    """Return vectors of elements as one of units, in f32."""
    if not product.pairs:
        return parts[0]
    return _as_single(vector.interleave(*parts), product)


def _as_single(value: ir.Value, product: Product) -> ir.Value:
    """Return units as a vector of f32."""
    return vector.bitcast(product.sums(), value) if product.pairs else value


def place_queries(block: Block, matrix: Matrix, point: Mapping[int, Index], left: Index) -> None:
    """Bring a block's queries side by side: buffer "queries", units x width."""
    operand = matrix.operand
    if operand.stride(matrix.row) == 1 and operand.stride(matrix.depth) != 1:
        _load_queries(block, matrix, point, left)
    else:
        _transpose_queries(block, matrix, point)


def _load_queries(block: Block, matrix: Matrix, point: Mapping[int, Index], left: Index) -> None:
    """Queries lie side by side in memory, too."""
    product, operand = matrix.product, matrix.operand
    source = block.arguments[operand.argument]

    def line(unit: Index, there: int) -> None:
        for place in block.places:
            mask, parts = block.mask(left, place), []
            for i in range(there):
                depth = code.add(code.scaled(unit, product.depth), i)
                query = code.add(point[matrix.row], place)
                at = address(operand, {**point, matrix.depth: depth, matrix.row: query})
                loaded = code.load(source, at, product.lanes, mask)
                parts.append(matrix.factor.emit(loaded, pairs=product.pairs))
            if product.pairs and there == 1:
                parts.append(code.zeros(product.lanes, matrix.factor.element))
            at = code.add(code.scaled(unit, block.width), place)
            block.store(joined(parts, product), matrix.name, at)

    whole = matrix.size // product.depth
    with code.loop(0, whole) as unit:
        line(unit, product.depth)
    if whole < matrix.units:
        line(whole, 1)


def _transpose_queries(block: Block, matrix: Matrix, point: Mapping[int, Index]) -> None:
    """Transpose squares of queries and units, in registers."""
    product, lanes = matrix.product, matrix.product.lanes
    last = block.kernel.shape[matrix.row] - 1

    def square(place: Index, start: Index, count: int) -> None:
        rows = []
        for lane in range(lanes):
            query = code.add(point[matrix.row], place, lane)
            # Queries behind the last are the last again: what becomes of them is not stored.
            query = query if block.whole else code.minimum(query, last)
            rows.append(units_along(block, matrix, {**point, matrix.row: query}, start, count))
        unit = _quotient(start, product.depth)
        for i, value in enumerate(transposed(rows)[: -(-count // product.depth)]):
            at = code.add(code.scaled(code.add(unit, i), block.width), place)
            block.store(value, matrix.name, at)

    with code.loop(0, block.width, lanes) as place:
        wide = lanes * product.depth
        full = matrix.size // wide * wide
        if full:
            with code.loop(0, full, wide) as start:
                square(place, start, wide)
        if full < matrix.size:
            square(place, full, matrix.size - full)
