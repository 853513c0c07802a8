"""Reading a kernel function whose anchor is a convolution.

Flows in: `func.func` on tensors: an initial value, the convolution, then elementwise ops, each
on the result of the one before. Flows out: `ConvolutionKernel`, or None where the function has
anything that the lowering does not know; it is then left as it is.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.convolution.fused import (
    Stage,
    UnknownInitial,
    chain_of,
    read_initial,
    read_results,
    read_stage,
)
from bellrock.dialects.convolution.geometry import Axis
from bellrock.dialects.convolution.operands import (
    Image,
    Operand,
    image_of,
    operand_of,
    source_of,
)
from bellrock.dialects.prepared_room import unused_input
from bellrock.payload.motifs.access import Access, Expr
from bellrock.payload.motifs.contraction import read_product_sum
from bellrock.payload.motifs.structured import Structured, read_structured


@dataclass(frozen=True, slots=True)
class Spatial:
    """A spatial dimension, and the loops over it."""

    axis: Axis
    pitch: int
    """Elements from one input position to the next."""
    output: int | None
    kernel: int | None


@dataclass(frozen=True, slots=True)
class ConvolutionKernel:
    """A convolution with what is fused into it; loops are numbered as in the convolution."""

    anchor: ir.Operation
    sizes: tuple[int, ...]
    outer: tuple[int, ...]
    """Loops over batch and groups."""
    in_channel: int | None
    out_channel: int | None
    leading: tuple[Spatial, ...]
    row: Spatial
    column: Spatial
    image: Operand
    weights: Operand
    padding: ir.Value | None
    """Scalar around the image; None where nothing outside it is read."""
    initial: Stage | Operand | ir.Value | None
    """What is added to the sums; None: nothing."""
    stages: tuple[Stage, ...]
    results: tuple[Operand, ...]
    packed: int | None
    """The argument with the filter as it was packed before; None: there is none."""

    def size(self, loop: int | None) -> int:
        """Return the trip count of a loop; 1 where there is none."""
        return 1 if loop is None else self.sizes[loop]

    @property
    def filter_span(self) -> int:
        """From an output channel's first weight to behind its last."""
        last = (self.size(self.in_channel) - 1) * self.weights.stride(self.in_channel)
        return last + max(self.tap_weights()) + 1

    def tap_weights(self) -> list[int]:
        """Return where the filter has each tap, in the order of `Halo.taps`."""
        found = [0]
        for spatial in (*self.leading, self.row, self.column):
            step = self.weights.stride(spatial.kernel)
            found = [at + k * step for at in found for k in range(spatial.axis.kernel)]
        return found


_NO_DIMENSION = Spatial(Axis(), 0, None, None)
_CHEAP = {"linalg.fill", "tensor.empty", "arith.constant", "tensor.extract_slice",
          "tensor.insert_slice", "tensor.expand_shape", "tensor.collapse_shape",
          "tensor.cast"}  # fmt: skip


def read_kernel(function: ir.Operation, anchor: ir.Operation) -> ConvolutionKernel | None:
    """Return a kernel as the lowering takes it (see the module's docstring).

    Args:
        function: of one block.
        anchor: the convolution in it.
    """
    op = read_structured(anchor)
    if op is None or op.output_count != 1 or min(op.loops) < 1:
        return None
    output = op.accesses[op.input_count]
    dimensions = [e.loop for e in output]
    product_sum = read_product_sum(op)
    if product_sum is None or not product_sum.plain or None in dimensions:
        return None
    chain = chain_of(anchor)
    returned = list(list(function.regions[0].blocks[0].operations)[-1].operands)
    order = [d for d in dimensions if d is not None]
    stages = [read_stage(s, previous, order) for previous, s in itertools.pairwise(chain)]
    results = read_results(chain[-1], returned, order)
    initial, known = read_initial(anchor, order)
    makers = [known] if known is not None else []
    if results is None or any(s is None for s in stages) or not covers(function, [*makers, *chain]):
        return None
    sides = _sides(op, min(product_sum.left), min(product_sum.right))
    if sides is None or isinstance(initial, UnknownInitial):
        return None
    return _assemble(op, sides, initial, [s for s in stages if s is not None], results)


def covers(function: ir.Operation, known: Sequence[ir.Operation]) -> bool:
    """Whether a function has no other work than the known ops, and one block."""
    blocks = list(function.regions[0].blocks)
    return len(blocks) == 1 and all(
        o.operation in known or o.operation.name in _CHEAP or o.operation.name == "func.return"
        for o in blocks[0].operations
    )


@dataclass(frozen=True, slots=True)
class _Sides:
    """The two inputs of the convolution."""

    image_number: int
    image: Operand
    image_access: Access
    image_source: Image
    weights: Operand
    weight_loops: frozenset[int]


def _sides(op: Structured, left: int, right: int) -> _Sides | None:
    """Tell the image, of which some index is a sum, from the filter."""
    plain = [all(e.is_constant or e.loop is not None for e in op.accesses[i])
             for i in (left, right)]  # fmt: skip
    if plain == [True, False]:
        left, right = right, left
    elif plain != [False, True]:
        return None
    image, weights = image_of(op.values[left]), source_of(op.values[right])
    if image is None or weights is None:
        return None
    image_operand = operand_of(image.source, op.accesses[left])
    weight_operand = operand_of(weights, op.accesses[right])
    if image_operand is None or weight_operand is None:
        return None
    loops = frozenset(loop for e in op.accesses[right] for loop, _ in e.terms)
    return _Sides(left, image_operand, op.accesses[left], image, weight_operand, loops)


def _assemble(
    op: Structured,
    sides: _Sides,
    initial: Stage | Operand | ir.Value | None,
    stages: Sequence[Stage],
    results: tuple[Operand, ...],
) -> ConvolutionKernel | None:
    parallel = op.output_loops
    image = sides.image_source
    dimensions = zip(sides.image_access, image.source.shape, image.source.strides, image.low,
                     image.spread, strict=True)  # fmt: skip
    windows: list[Spatial] = []
    for number, (expr, size, pitch, low, spread) in enumerate(dimensions):
        if expr.is_constant or (expr.loop is not None and not windows):
            if low or spread > 1 or size != op.shapes[sides.image_number][number]:
                return None
            continue
        window = spatial_of(op, expr, pitch, parallel)
        if window is None or (spread > 1 and window.axis.stride > 1):
            return None
        axis = dataclasses.replace(window.axis, size=size, low=low, spread=spread)
        windows.append(dataclasses.replace(window, axis=axis))
    spatial = {s.output for s in windows} | {s.kernel for s in windows}
    rest = [i for i in range(len(op.loops)) if i not in spatial]
    imaged = {loop for e in sides.image_access for loop, _ in e.terms}
    in_channels = [i for i in rest if i not in parallel]
    out_channels = [i for i in rest if i in parallel and i not in imaged]
    column = windows[-1]
    fits = (
        len(in_channels) <= 1
        and len(out_channels) <= 1
        and column.pitch == 1
        and all(r.stride(column.output) in (0, 1) for r in results)
        and all(s.output is None or s.output not in sides.weight_loops for s in windows)
    )
    if not fits:
        return None
    return ConvolutionKernel(
        anchor=op.op,
        sizes=op.loops,
        outer=tuple(i for i in rest if i in parallel and i in imaged),
        in_channel=in_channels[0] if in_channels else None,
        out_channel=out_channels[0] if out_channels else None,
        leading=tuple(windows[:-2]),
        row=windows[-2] if len(windows) > 1 else _NO_DIMENSION,
        column=column,
        image=sides.image,
        weights=sides.weights,
        padding=image.padding,
        initial=initial,
        stages=tuple(stages),
        results=results,
        packed=_packed(op.op),
    )


def _packed(anchor: ir.Operation) -> int | None:
    """Return the argument that is an anchor's prepared filter."""
    value = unused_input(anchor)
    source = None if value is None else source_of(value)
    return None if source is None else source.argument


def spatial_of(op: Structured, expr: Expr, pitch: int, parallel: frozenset[int]) -> Spatial | None:
    """Read an index of the form `stride * output + dilation * kernel`."""
    outputs = [(loop, c) for loop, c in expr.terms if loop in parallel]
    kernels = [(loop, c) for loop, c in expr.terms if loop not in parallel]
    if not expr.linear or expr.constant or len(outputs) > 1 or len(kernels) > 1:
        return None
    if any(c < 1 for _, c in expr.terms):
        return None
    output, stride = outputs[0] if outputs else (None, 1)
    kernel, dilation = kernels[0] if kernels else (None, 1)
    axis = Axis(
        output=1 if output is None else op.loops[output],
        kernel=1 if kernel is None else op.loops[kernel],
        stride=stride,
        dilation=dilation,
    )
    return Spatial(axis, pitch, output, kernel)
