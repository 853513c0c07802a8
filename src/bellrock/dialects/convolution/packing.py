"""Packing the input of one block of output (layout: `geometry.Halo`).

Flows in: the image, the block's position. Flows out: the halo buffer filled; positions outside
the image hold the padding's value.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith

from bellrock.dialects import vector_code as code
from bellrock.dialects.buffer_uses import element_bytes
from bellrock.dialects.convolution.geometry import Axis, Halo
from bellrock.dialects.convolution.interleaving import deinterleaved
from bellrock.dialects.convolution.operands import owner_of
from bellrock.dialects.convolution.reading import ConvolutionKernel
from bellrock.dialects.vector_code import Index

LINE_BYTES = 64
"""Of a line of the cache."""


@dataclass(frozen=True, slots=True)
class Block:
    """Where a block of output is, and how many rows it has."""

    leading: tuple[Index, ...]
    row: Index
    column: Index
    rows: Index


@dataclass(frozen=True, slots=True)
class _Plane:
    """Addresses of one input plane and of its packed form."""

    source: Index
    target: Index
    valid: ir.Value | None
    """Whether it is in the image; None: always."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Everything that the packing of a block needs; methods emit code."""

    kernel: ConvolutionKernel
    halo: Halo
    image: ir.Value
    packed: ir.Value
    padding: ir.Value
    """A vector of the value outside the image."""
    shuffled: int = 2
    """Largest stride, a power of two, whose phases are shuffled out of whole vectors; those of
    other strides are gathered."""

    def emit(self, base: Index, block: Block) -> None:
        """Fill the buffer for a block.

        Args:
            base: address of the block's image and group.
            block: where it is.
        """
        kernel = self.kernel
        step = kernel.image.stride(kernel.in_channel)
        with code.loop(0, kernel.size(kernel.in_channel)) as channel:
            source = code.add(base, code.scaled(channel, step))
            self.emit_channel(source, code.scaled(channel, self.halo.channel), block)

    def emit_channel(self, source: Index, target: Index, block: Block) -> None:
        """Fill the part of the buffer for one channel.

        Args:
            source: address of the channel's image.
            target: of its part of the buffer.
            block: where it is.
        """
        self._depths(_Plane(source, target, None), block, 0)

    def _depths(self, plane: _Plane, block: Block, done: int) -> None:
        """Emit a loop over the taps of each leading axis in turn, then the planes."""
        if done == len(block.leading):
            self._row_phases(plane, block)
            return
        spatial = self.kernel.leading[done]
        axis = self.halo.leading[done]
        planes = self.halo.plane_at(1, 0, 0)
        for following in self.halo.leading[done + 1 :]:
            planes *= following.kernel
        with code.loop(0, axis.kernel) as tap:
            first = code.scaled(block.leading[done], axis.stride)
            at = code.add(first, code.scaled(tap, axis.dilation), -axis.low)
            inner = _Plane(
                source=code.add(plane.source, code.scaled(at, spatial.pitch)),
                target=code.add(plane.target, code.scaled(tap, planes)),
                valid=_both(plane.valid, code.below(at, axis.size) if axis.padded else None),
            )
            self._depths(inner, block, done + 1)

    def _row_phases(self, plane: _Plane, block: Block) -> None:
        """Emit the rows of each phase; in a loop where the phases are 0, 1, 2, ..."""
        phases = self.halo.row.phases
        if phases == tuple(range(len(phases))):
            with code.loop(0, len(phases)) as number:
                self._rows(plane, block, number, number)
            return
        for number, phase in enumerate(phases):
            self._rows(plane, block, number, phase)

    def _rows(self, plane: _Plane, block: Block, number: Index, phase: Index) -> None:
        """Emit a loop over the packed rows of one phase."""
        axis, halo = self.halo.row, self.halo
        start = code.add(plane.target, code.scaled(number, halo.plane_at(0, 1, 0)))
        with code.loop(0, code.add(block.rows, axis.reach)) as r:
            first = code.scaled(code.add(block.row, r), axis.stride)
            at = code.add(first, phase, -axis.low)
            line = code.add(start, code.scaled(r, halo.pitch))
            source = code.add(plane.source, code.scaled(at, self.kernel.row.pitch))
            # The rows of a later phase end sooner, so its last may lie outside even unpadded.
            bounded = axis.padded or len(axis.phases) > 1
            valid = _both(plane.valid, code.below(at, axis.size) if bounded else None)
            if valid is None:
                self._columns(source, line, block.column)
                return
            inside, outside = code.branch(valid)
            with inside:
                self._columns(source, line, block.column)
            with outside:
                self._blank(line)

    def _blank(self, line: Index) -> None:
        for phase in range(len(self.halo.column.phases)):
            start = code.add(line, self.halo.plane_at(0, 0, phase))

            def emit(at: Index, _inside: int, start: Index = start) -> None:
                code.store(self._widened(self.padding), self.packed, code.add(start, at))

            code.chunks(self.halo.width, self.halo.lanes, emit)

    def _widened(self, value: ir.Value) -> ir.Value:
        return code.widened(value, ir.MemRefType(self.packed.type).element_type)

    def _columns(self, source: Index, line: Index, column: Index) -> None:
        """Emit the copy of one row, split into the phases of its columns."""
        axis, halo = self.halo.column, self.halo

        def emit(at: Index, _inside: int) -> None:
            first = code.add(code.scaled(code.add(column, at), axis.stride), -axis.low)
            self._ask_for_next(code.add(source, first))
            for phase, part in enumerate(self._phases(source, first)):
                spot = code.add(line, halo.plane_at(0, 0, phase), at)
                code.store(self._widened(part), self.packed, spot)

        code.chunks(halo.width, halo.lanes, emit)

    def _ask_for_next(self, at: Index) -> None:
        """Ask for the same row of the next channel.

        The rows of a block are too short for the processor to see a stream in them.
        """
        kernel, lanes = self.kernel, self.halo.lanes
        if kernel.size(kernel.in_channel) == 1:
            return
        step = kernel.image.stride(kernel.in_channel)
        element = ir.MemRefType(self.image.type).element_type
        line = LINE_BYTES // element_bytes(element)
        for offset in range(0, self.halo.column.stride * lanes, line):
            code.prefetch(self.image, code.add(at, step + offset))

    def _phases(self, source: Index, first: Index) -> list[ir.Value]:
        """Load one vector of each phase of the row, from an input position on."""
        axis, lanes = self.halo.column, self.halo.lanes
        if axis.stride == 1:
            return [self._load(source, first)]
        if axis.stride == 2:
            low = self._load(source, first)
            high = self._load(source, code.add(first, lanes))
            return [code.shuffle(low, high, [2 * i + p for i in range(lanes)]) for p in axis.phases]
        if axis.stride == self.shuffled:
            parts = [self._load(source, code.add(first, n * lanes)) for n in range(axis.stride)]
            phases = deinterleaved(parts)
            return [phases[p] for p in axis.phases]
        return [self._gather(source, first, p, axis) for p in axis.phases]

    def _load(self, source: Index, first: Index) -> ir.Value:
        mask = self._mask(first, 1)
        return code.load(self.image, code.add(source, first), self.halo.lanes, mask, self.padding)

    def _gather(self, source: Index, first: Index, phase: int, axis: Axis) -> ir.Value:
        at = code.add(first, phase)
        mask = self._mask(at, axis.stride)
        offsets = [i * axis.stride for i in range(self.halo.lanes)]
        return code.gather(self.image, code.add(source, at), offsets, mask, self.padding)

    def _mask(self, first: Index, stride: int) -> ir.Value | None:
        """Return which of the positions `first + lane * stride` the image has."""
        axis = self.halo.column
        high = code.ceil_quotient_signed(code.subtract(axis.size, first), stride)
        low = code.ceil_quotient_signed(code.subtract(0, first), stride) if axis.padded else 0
        return code.prefix_mask(self.halo.lanes, high, low)


def padding_of(kernel: ConvolutionKernel, lanes: int, element: ir.Type) -> ir.Value:
    """Return a vector of what is around the image."""
    if kernel.padding is None:
        return code.zeros(lanes, element)
    constant = owner_of(kernel.padding)
    assert constant is not None, "a pad's value is a constant"
    return code.splat(lanes, element, constant.attributes["value"])


def has_zeros_around(kernel: ConvolutionKernel) -> bool:
    """Whether the image has a pad of zeros."""
    constant = None if kernel.padding is None else owner_of(kernel.padding)
    if constant is None or constant.name != "arith.constant":
        return False
    value = constant.attributes["value"]
    return isinstance(value, ir.FloatAttr) and value.value == 0.0


def _both(a: ir.Value | None, b: ir.Value | None) -> ir.Value | None:
    """Return whether both conditions hold; None is always true."""
    if a is None or b is None:
        return b if a is None else a
    return arith.andi(a, b)
