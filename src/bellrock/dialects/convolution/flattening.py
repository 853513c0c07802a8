"""Rows of an image as one long row, where the filter has a single tap.

Flows in: a kernel and the block sizes chosen for it. Flows out: an equal kernel with fewer
spatial dimensions, and block sizes that fit it.
"""

from __future__ import annotations

import dataclasses

from bellrock.dialects.convolution.fused import Stage
from bellrock.dialects.convolution.geometry import Axis
from bellrock.dialects.convolution.operands import Operand
from bellrock.dialects.convolution.reading import ConvolutionKernel, Spatial

_NO_DIMENSION = Spatial(Axis(), 0, None, None)


def flatten(
    kernel: ConvolutionKernel, rows: int, columns: int
) -> tuple[ConvolutionKernel, int, int]:
    """Merge rows into columns as long as that changes no address.

    Args:
        kernel: to be lowered.
        rows: chosen for a block; 0 is all.
        columns: chosen for a block; 0 is all. Of a pointwise convolution, of the long row.

    Returns:
        The kernel, and the sizes of a block of it.
    """
    pointwise = all(_is_plain(s.axis) for s in (*kernel.leading, kernel.row, kernel.column))
    while pointwise and _merges(kernel):
        kernel = _merged(kernel)
    width, height = kernel.column.axis.output, kernel.row.axis.output
    if pointwise and columns > width:
        rows = columns // width
    return kernel, min(rows or height, height), min(columns or width, width)


def _is_plain(axis: Axis) -> bool:
    return axis.kernel == axis.stride == axis.spread == 1 and not axis.padded


def _merges(kernel: ConvolutionKernel) -> bool:
    """Whether the rows follow each other without gaps in everything that is accessed."""
    row, column = kernel.row, kernel.column
    if row.output is None or column.output is None:
        return False
    width = column.axis.output
    return row.pitch == width * column.pitch and all(
        o.stride(row.output) == width * o.stride(column.output) for o in _operands(kernel)
    )


def _operands(kernel: ConvolutionKernel) -> list[Operand]:
    found = list(kernel.results)
    stages = list(kernel.stages)
    if isinstance(kernel.initial, Operand):
        found.append(kernel.initial)
    elif isinstance(kernel.initial, Stage):
        stages.append(kernel.initial)
    found += [o for s in stages for o in s.inputs if isinstance(o, Operand)]
    return found


def _merged(kernel: ConvolutionKernel) -> ConvolutionKernel:
    row, column = kernel.row, kernel.column
    assert column.output is not None, "only dimensions with loops merge"
    pixels = row.axis.output * column.axis.output
    sizes = list(kernel.sizes)
    sizes[column.output] = pixels
    axis = dataclasses.replace(column.axis, output=pixels, size=pixels)
    return dataclasses.replace(
        kernel,
        sizes=tuple(sizes),
        leading=kernel.leading[:-1],
        row=kernel.leading[-1] if kernel.leading else _NO_DIMENSION,
        column=dataclasses.replace(column, axis=axis),
    )
