"""Winograd's minimal filtering F(m x m, 3 x 3): its matrices, and linear forms on vectors.

Flows in: the outputs of a tile along one axis. Flows out: the matrices, and code that applies
some of them to both axes of a tile of vectors. Sources: Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", CVPR 2016, section 4; Cook and Toom for matrices from points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, vector

from bellrock.dialects import vector_code as code

TAPS = 3
"""Of the filter, along each of the two axes."""

Matrix = tuple[tuple[float, ...], ...]
Matrices = tuple[Matrix, ...]
"""Factors of one matrix, the one that is applied first before the others."""


@dataclass(frozen=True, slots=True)
class MinimalFiltering:
    """The matrices of one algorithm; each is applied to both axes of a tile."""

    image: Matrices
    """B^T: from a tile of the image."""
    filter: Matrix
    """G: from the filter."""
    result: Matrices
    """A^T: to a tile of results."""
    longest_sum: int = 0
    """Products that are summed one after the other, before that is added to the sum of those
    before them; 0: all. Products are larger than what they add up to, so their sums lose most."""

    @property
    def outputs(self) -> int:
        """Results of a tile along one axis."""
        return len(self.result[-1])

    @property
    def inputs(self) -> int:
        """Positions of a tile of the image along one axis: also products along one axis."""
        return len(self.image[-1])

    @property
    def products(self) -> int:
        """Products of a tile."""
        return self.inputs**2

    @property
    def image_operations(self) -> int:
        """Additions and multiply-adds that take a tile of the image to its products."""
        each = sum(sum(map(bool, row)) - 1 for matrix in self.image for row in matrix)
        return 2 * self.inputs * each


def _four(near: float, far: float) -> MinimalFiltering:
    """Return F(4 x 4, 3 x 3) by Cook and Toom, from the points 0, +-near, +-far and infinity.

    Even and odd parts of a polynomial are the same at a point and its negative but for a sign:
    they are computed once, by the first factor of the image's and the second of the result's.
    """
    n, f = near**2, far**2
    points = (0.0, near, -near, far, -far)
    weights = [math.prod(p - q for q in points if q != p) for p in points]
    return MinimalFiltering(
        image=(
            (
                (n * f, 0, -(n + f), 0, 1, 0),
                (0, 0, -f, 0, 1, 0), (0, -f, 0, 1, 0, 0),
                (0, 0, -n, 0, 1, 0), (0, -n, 0, 1, 0, 0),
                (0, n * f, 0, -(n + f), 0, 1),
            ),
            (
                (1, 0, 0, 0, 0, 0),
                (0, 1, near, 0, 0, 0), (0, 1, -near, 0, 0, 0),
                (0, 0, 0, 1, far, 0), (0, 0, 0, 1, -far, 0),
                (0, 0, 0, 0, 0, 1),
            ),
        ),
        filter=(
            *((1 / w, p / w, p * p / w) for p, w in zip(points, weights, strict=True)),
            (0, 0, 1),
        ),
        result=(
            (
                (1, 0, 0, 0, 0, 0),
                (0, 1, 1, 0, 0, 0), (0, 1, -1, 0, 0, 0),
                (0, 0, 0, 1, 1, 0), (0, 0, 0, 1, -1, 0),
                (0, 0, 0, 0, 0, 1),
            ),
            (
                (1, 1, 0, 1, 0, 0),
                (0, 0, near, 0, far, 0),
                (0, n, 0, f, 0, 0),
                (0, 0, n * near, 0, f * far, 1),
            ),
        ),
        longest_sum=16,
    )  # fmt: skip


TWO = MinimalFiltering(
    image=(((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),),
    filter=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
    result=(((1, 1, 1, 0), (0, 1, -1, -1)),),
)
"""F(2 x 2, 3 x 3): 16 products for 36; its sums are about as exact as direct ones."""
FOUR = _four(11 / 16, 3 / 2)
"""F(4 x 4, 3 x 3): 36 products for 144. The usual points, 1 and 2, lose three times as much:
their cubes are far from 1. All constants of image and result are exact in f32."""
ALGORITHMS = {each.outputs: each for each in (TWO, FOUR)}
"""By results of a tile along one axis."""


def on_both_axes(matrices: Matrices, tile: Sequence[Sequence[ir.Value]]) -> list[ir.Value]:
    """Emit `matrix * tile * transpose(matrix)`.

    Args:
        matrices: factors of the matrix, mostly of 0 and 1.
        tile: vectors, by row and column.

    Returns:
        Row after row of the result.
    """
    columns = [_on_axis(matrices, column) for column in zip(*tile, strict=True)]
    return [v for row in zip(*columns, strict=True) for v in _on_axis(matrices, row)]


def _on_axis(matrices: Matrices, values: Sequence[ir.Value]) -> list[ir.Value]:
    found = list(values)
    for matrix in matrices:
        found = [_combined(row, found) for row in matrix]
    return found


def _combined(factors: Sequence[float], values: Sequence[ir.Value]) -> ir.Value:
    """Emit a linear form; what is added as it is comes before what has a factor."""
    pairs = sorted(
        ((f, v) for f, v in zip(factors, values, strict=True) if f), key=lambda pair: pair[0] != 1
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
