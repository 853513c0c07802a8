"""Where register tiles read the filter: in place, widened panel by panel, or packed before.

Flows in: a kernel and its arguments. Flows out: a `Filters`: the steps from weight to weight, and
code for the address of a panel of output channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch_mlir import ir

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.operands import address, row_major
from bellrock.dialects.convolution.reading import ConvolutionKernel, Spatial
from bellrock.dialects.vector_code import Index


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Distances in what tiles read, in elements."""

    in_channel: int
    out_channel: int
    axes: tuple[int, ...]
    """From tap to tap along each axis: leading ones, row, column."""


class Filters(Protocol):
    """A filter, as tiles read it."""

    @property
    def values(self) -> ir.Value:
        """The buffer that tiles read."""
        ...

    @property
    def steps(self) -> Steps:
        """See `Steps`."""
        ...

    def panel_at(self, position: Mapping[int, Index], number: Index, start: Index) -> Index:
        """Emit the address of a panel's first weight, and what makes it readable there.

        Args:
            position: of the block, by loop.
            number: of the panel.
            start: its first output channel.
        """
        ...


def filters_of(
    kernel: ConvolutionKernel, arguments: Sequence[ir.Value], panel: int, lanes: int
) -> Filters:
    """Return the filter of a kernel; buffers are made at the insertion point.

    Args:
        kernel: that reads it.
        arguments: of the function.
        panel: output channels of a panel.
        lanes: of a vector.
    """
    if kernel.packed is not None:
        return PackedFilters(kernel, arguments[kernel.packed], panel)
    single = ir.F32Type.get()
    weights = arguments[kernel.weights.argument]
    if ir.MemRefType(weights.type).element_type == single:
        return PlainFilters(kernel, weights)
    buffer = code.stack_buffer(panel * _whole(kernel.filter_span, lanes), single)
    return WidenedFilters(kernel, weights, buffer, panel, lanes)


def taps_by(axes: Sequence[Spatial], steps: Sequence[int]) -> list[int]:
    """Return where a filter has each tap, in the order of `Halo.taps`."""
    found = [0]
    for spatial, step in zip(axes, steps, strict=True):
        found = [at + k * step for at in found for k in range(spatial.axis.kernel)]
    return found


def _axes(kernel: ConvolutionKernel) -> list[Spatial]:
    return [*kernel.leading, kernel.row, kernel.column]


@dataclass(frozen=True, slots=True)
class PlainFilters:
    """A filter that is read where it is."""

    kernel: ConvolutionKernel
    values: ir.Value

    @property
    def steps(self) -> Steps:
        """See `Steps`."""
        weights = self.kernel.weights
        return Steps(
            in_channel=weights.stride(self.kernel.in_channel),
            out_channel=weights.stride(self.kernel.out_channel),
            axes=tuple(weights.stride(s.kernel) for s in _axes(self.kernel)),
        )

    def panel_at(self, position: Mapping[int, Index], number: Index, start: Index) -> Index:
        """See `Filters.panel_at`."""
        del number
        group = address(self.kernel.weights, {k: position[k] for k in self.kernel.outer})
        return code.add(group, code.scaled(start, self.steps.out_channel))


@dataclass(frozen=True, slots=True)
class WidenedFilters:
    """A filter of a narrow type: each panel is widened into a buffer before it is read."""

    kernel: ConvolutionKernel
    weights: ir.Value
    values: ir.Value
    panel: int
    lanes: int

    @property
    def steps(self) -> Steps:
        """See `Steps`."""
        weights = self.kernel.weights
        return Steps(
            in_channel=weights.stride(self.kernel.in_channel),
            out_channel=_whole(self.kernel.filter_span, self.lanes),
            axes=tuple(weights.stride(s.kernel) for s in _axes(self.kernel)),
        )

    def panel_at(self, position: Mapping[int, Index], number: Index, start: Index) -> Index:
        """See `Filters.panel_at`."""
        del number
        kernel = self.kernel
        group = address(kernel.weights, {k: position[k] for k in kernel.outer})
        step = kernel.weights.stride(kernel.out_channel)
        start = code.add(group, code.scaled(start, step))
        with code.loop(0, self.panel) as channel:
            source = code.add(start, code.scaled(channel, step))
            target = code.scaled(channel, self.steps.out_channel)

            def emit(at: Index, inside: int) -> None:
                mask = code.prefix_mask(self.lanes, inside)
                value = code.load(self.weights, code.add(source, at), self.lanes, mask)
                wide = code.widened(value, ir.F32Type.get())
                code.store(wide, self.values, code.add(target, at))

            code.chunks(kernel.filter_span, self.lanes, emit)
        return 0


@dataclass(frozen=True, slots=True)
class PackedFilters:
    """A filter in the order in which it is read (`filter_packing`): one stream of weights."""

    kernel: ConvolutionKernel
    values: ir.Value
    panel: int

    @property
    def _shape(self) -> list[int]:
        """Of a panel: input channel, taps along each axis, channel of the panel."""
        taps = [s.axis.kernel for s in _axes(self.kernel)]
        return [self.kernel.size(self.kernel.in_channel), *taps, self.panel]

    @property
    def steps(self) -> Steps:
        """See `Steps`."""
        in_channel, *axes, out_channel = row_major(self._shape)
        return Steps(in_channel=in_channel, out_channel=out_channel, axes=tuple(axes))

    def panel_at(self, position: Mapping[int, Index], number: Index, start: Index) -> Index:
        """See `Filters.panel_at`."""
        del start
        kernel = self.kernel
        group: Index = 0
        for loop in kernel.outer:
            if kernel.weights.stride(loop):
                group = code.add(code.scaled(group, kernel.sizes[loop]), position[loop])
        panels = -(-kernel.size(kernel.out_channel) // self.panel)
        number = code.add(code.scaled(group, panels), number)
        return code.scaled(number, math.prod(self._shape))


def _whole(span: int, lanes: int) -> int:
    """Return a span rounded up to whole vectors."""
    return -(-span // lanes) * lanes
