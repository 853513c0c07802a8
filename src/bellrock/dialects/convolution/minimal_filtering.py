"""Winograd's minimal filtering F(m x m, 3 x 3): its matrices, and linear forms on vectors.

Flows in: the outputs of a tile along one axis. Flows out: the matrices, and code that applies
one of them to both axes of a tile of vectors. Source: Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", CVPR 2016, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, vector

from bellrock.dialects import vector_code as code

TAPS = 3
"""Of the filter, along each of the two axes."""

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class MinimalFiltering:
    """The matrices of one algorithm; each is applied to both axes of a tile."""

    image: Matrix
    """B^T: from a tile of the image."""
    filter: Matrix
    """G: from the filter."""
    result: Matrix
    """A^T: to a tile of results."""

    @property
    def outputs(self) -> int:
        """Results of a tile along one axis."""
        return len(self.result)

    @property
    def inputs(self) -> int:
        """Positions of a tile of the image along one axis: also products along one axis."""
        return len(self.image)


TWO = MinimalFiltering(
    image=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    filter=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
    result=((1, 1, 1, 0), (0, 1, -1, -1)),
)
"""F(2 x 2, 3 x 3): 16 products for 36; its sums are about as exact as direct ones."""


def on_both_axes(matrix: Matrix, tile: Sequence[Sequence[ir.Value]]) -> list[ir.Value]:
    """Emit `matrix * tile * transpose(matrix)`.

    Args:
        matrix: of small integers, mostly 0 and 1.
        tile: vectors, by row and column.

    Returns:
        Row after row of the result.
    """
    columns = [_on_axis(matrix, column) for column in zip(*tile, strict=True)]
    return [v for row in zip(*columns, strict=True) for v in _on_axis(matrix, row)]


def _on_axis(matrix: Matrix, values: Sequence[ir.Value]) -> list[ir.Value]:
    return [_combined(row, values) for row in matrix]


def _combined(factors: Sequence[float], values: Sequence[ir.Value]) -> ir.Value:
    """Emit a linear form; what is added comes before what is subtracted."""
    pairs = sorted(
        ((f, v) for f, v in zip(factors, values, strict=True) if f), key=lambda pair: pair[0] < 0
    )
    total = _times(*pairs[0])
    for factor, value in pairs[1:]:
        if factor == 1:
            total = arith.addf(total, value)
        elif factor == -1:
            total = arith.subf(total, value)
        else:
            total = vector.fma(value, _constant(factor, value), total)
    return total


def _times(factor: float, value: ir.Value) -> ir.Value:
    return value if factor == 1 else arith.mulf(value, _constant(factor, value))


def _constant(factor: float, like: ir.Value) -> ir.Value:
    kind = ir.VectorType(like.type)
    return code.splat(kind.shape[0], kind.element_type, ir.FloatAttr.get(kind.element_type, factor))
