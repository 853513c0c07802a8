"""Reading a kernel function whose anchor is a pooling.

Flows in: `func.func` on tensors: the combiner's neutral element, the pooling, then elementwise
ops, each on the result of the one before. Flows out: `PoolingKernel`, or None where the function
has anything that the lowering does not know; it is then left as it is.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.convolution.fused import Stage, chain_of, read_results, read_stage
from bellrock.dialects.convolution.geometry import Axis
from bellrock.dialects.convolution.operands import Image, Operand, image_of, operand_of, owner_of
from bellrock.dialects.convolution.reading import Spatial, covers, spatial_of
from bellrock.dialects.grouping import init_index
from bellrock.dialects.pooling.taken import is_neutral, takes_windows
from bellrock.payload.motif import Motif, find_motif
from bellrock.payload.motifs.structured import Structured, read_structured


@dataclass(frozen=True, slots=True)
class PoolingKernel:
    """A pooling with what is fused into it; loops are numbered as in the pooling."""

    sizes: tuple[int, ...]
    outer: tuple[int, ...]
    """Loops that index image and result alike."""
    leading: tuple[Spatial, ...]
    """Windows, without the one along memory."""
    column: Spatial
    image: Operand
    combiner: str
    element: ir.Type
    """Of the pooling's result."""
    stages: tuple[Stage, ...]
    results: tuple[Operand, ...]
    initial: None = None

    @property
    def row(self) -> Spatial:
        """The window before the one along memory."""
        return self.leading[-1] if self.leading else NO_DIMENSION


NO_DIMENSION = Spatial(Axis(), 0, None, None)


def read_kernel(function: ir.Operation, anchor: ir.Operation) -> PoolingKernel | None:
    """Return a kernel as the lowering takes it (see the module's docstring).

    Args:
        function: of one block.
        anchor: the pooling in it.
    """
    op, motif = read_structured(anchor), find_motif(anchor)
    if op is None or motif is None or not takes_windows(motif):
        return None
    order = [e.loop for e in op.accesses[op.input_count] if e.loop is not None]
    if len(order) != len(op.accesses[op.input_count]) or not _starts_neutral(anchor, motif):
        return None
    chain = chain_of(anchor)
    returned = list(list(function.regions[0].blocks[0].operations)[-1].operands)
    stages = [read_stage(s, previous, order) for previous, s in itertools.pairwise(chain)]
    results = read_results(chain[-1], returned, order)
    if results is None or None in stages or not covers(function, chain):
        return None
    return _assemble(op, motif, [s for s in stages if s is not None], results)


def _starts_neutral(anchor: ir.Operation, motif: Motif) -> bool:
    fill = owner_of(anchor.operands[init_index(anchor)])
    if fill is None or fill.name != "linalg.fill":
        return False
    value = owner_of(fill.operands[0])
    return value is not None and value.name == "arith.constant" and is_neutral(value, motif)


def _assemble(
    op: Structured, motif: Motif, stages: Sequence[Stage], results: tuple[Operand, ...]
) -> PoolingKernel | None:
    combiner = op.body.combiner(0, op.input_count)
    assert combiner.update is not None, "a pooling combines its image"
    number = min(op.body.leaves(combiner.update))
    image = image_of(op.values[number])
    if image is None or not _padded_neutrally(image, motif):
        return None
    operand = operand_of(image.source, op.accesses[number])
    windows = _windows(op, number, image)
    if operand is None or windows is None or windows[-1].pitch != 1:
        return None
    column = windows[-1]
    if any(r.stride(column.output) != 1 for r in results):
        return None
    spatial = {s.output for s in windows} | {s.kernel for s in windows}
    outer = tuple(i for i in range(len(op.loops)) if i not in spatial and i in op.output_loops)
    inner = ir.ShapedType(op.values[op.input_count].type).element_type
    return PoolingKernel(
        sizes=op.loops, outer=outer, leading=tuple(windows[:-1]), column=column, image=operand,
        combiner=motif.variant, element=inner, stages=tuple(stages), results=results,
    )  # fmt: skip


def _padded_neutrally(image: Image, motif: Motif) -> bool:
    if any(step != 1 for step in image.spread):
        return False
    value = None if image.padding is None else owner_of(image.padding)
    return image.padding is None or (value is not None and is_neutral(value, motif))


def _windows(op: Structured, number: int, image: Image) -> list[Spatial] | None:
    """Return the windows of an image, outermost first; its last dimension is always one."""
    parallel = op.output_loops
    source = image.source
    windows: list[Spatial] = []
    access = op.accesses[number]
    dimensions = zip(access, source.shape, source.strides, image.low, strict=True)
    for at, (expr, size, pitch, low) in enumerate(dimensions):
        whole = expr.loop is None or size == op.loops[expr.loop]
        plain = expr.is_constant or (expr.loop is not None and expr.loop in parallel)
        if plain and whole and low == 0 and at < len(access) - 1:
            continue
        window = spatial_of(op, expr, pitch, parallel)
        if window is None or expr.is_constant:
            return None
        axis = dataclasses.replace(window.axis, size=size, low=low)
        windows.append(dataclasses.replace(window, axis=axis))
    return windows or None
