"""The inner loops: output channels x pixels in registers, summed over channels and taps.

Flows in: packed input, the filter, the position of a tile. Flows out: the tile's sums, in a
buffer of one row per output channel. The filter's scalars are broadcast; pixels are lanes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import memref, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.geometry import (
    LARGEST_UNROLLED,
    Halo,
    PhaseTaps,
    TapBlocks,
    cut_taps,
)
from bellrock.dialects.vector_code import Index

Range = tuple[Index, Index]
"""A first index and an end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inside:
    """The taps of a tile that meet the image, where that is known: others meet zeros alone."""

    depths: Range | None
    """Of the leading axes."""
    rows: Range | None
    """Of the rows."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A register tile and what it is computed from; `emit` emits its code."""

    halo: Halo
    channels: int
    """Output channels of the tile."""
    vectors: int
    """Vectors of pixels of the tile."""
    packed: ir.Value
    weights: ir.Value
    sums: ir.Value
    """Buffer of `channels` rows."""
    sums_pitch: int
    tap_weights: tuple[int, ...]
    """Where the filter has each tap."""
    phases: PhaseTaps | None
    """Of a transposed convolution: its taps."""
    in_channel_step: int
    """Of the filter, in elements."""
    out_channel_step: int
    """Of the filter, in elements."""

    @property
    def pixels(self) -> int:
        """Pixels of the tile."""
        return self.vectors * self.halo.lanes

    def emit(
        self,
        weights_at: Index,
        pixel: Index,
        phase: Index,
        into: Index,
        inside: Inside,
    ) -> None:
        """Emit a tile: sum over channels and taps, then store.

        Args:
            weights_at: address of the filter of the tile's first output channel.
            pixel: the tile's first pixel.
            phase: of a transposed convolution: which of the taps.
            into: start of the tile's part of the buffer of sums.
            inside: the taps that count.
        """
        zero = code.zeros(self.halo.lanes, self._element())
        start = [zero] * (self.channels * self.vectors)
        if self.phases is None:
            sums = self._over_channels(weights_at, pixel, start, inside)
        else:
            sums = self._over_phase(self.phases, weights_at, pixel, phase, start)
        for number, value in enumerate(sums):
            channel, part = divmod(number, self.vectors)
            at = channel * self.sums_pitch + part * self.halo.lanes
            code.store(value, self.sums, code.add(into, pixel, at))

    def _element(self) -> ir.Type:
        return ir.MemRefType(self.packed.type).element_type

    def _over_phase(
        self,
        taps: PhaseTaps,
        weights_at: Index,
        pixel: Index,
        phase: Index,
        sums: Sequence[ir.Value],
    ) -> Sequence[ir.Value]:
        """Sum over the taps of one phase, from tables, and within over channels."""
        starts, offsets, weights = (
            code.table(t) for t in (taps.starts, taps.offsets, taps.weights)
        )
        low, high = (memref.load(starts, [code.as_value(code.add(phase, i))]) for i in (0, 1))
        count = self.halo.in_channels
        limit = max(1, LARGEST_UNROLLED // len(sums))
        unrolled = max(d for d in range(1, min(count, limit) + 1) if count % d == 0)
        one_tap = TapBlocks((0,), (0,), (0,), (0,))

        def over_taps(tap: Index, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
            image = code.add(pixel, memref.load(offsets, [code.as_value(tap)]))
            filters = code.add(weights_at, memref.load(weights, [code.as_value(tap)]))

            def over_channels(first: Index, inner: Sequence[ir.Value]) -> Sequence[ir.Value]:
                for i in range(unrolled):
                    each = code.add(first, i)
                    inner = self._block(
                        one_tap,
                        code.add(image, code.scaled(each, self.halo.channel)),
                        code.add(filters, code.scaled(each, self.in_channel_step)),
                        inner,
                    )
                return inner

            return code.carried_loop(count, unrolled, carried, over_channels)

        return code.carried_range(low, high, sums, over_taps)

    def _over_channels(
        self,
        weights_at: Index,
        pixel: Index,
        sums: Sequence[ir.Value],
        inside: Inside,
    ) -> Sequence[ir.Value]:
        per_tap = self.channels * self.vectors
        largest = max(1, LARGEST_UNROLLED // per_tap)
        blocks = cut_taps(self.halo.taps(), list(self.tap_weights), largest)
        count = self.halo.in_channels
        unrolled = 1
        if len(blocks.starts) == 1:
            limit = max(1, largest // len(blocks.offsets))
            unrolled = max(d for d in range(1, min(count, limit) + 1) if count % d == 0)

        def body(channel: Index, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
            for i in range(unrolled):
                each = code.add(channel, i)
                image = code.add(pixel, code.scaled(each, self.halo.channel))
                weights = code.add(weights_at, code.scaled(each, self.in_channel_step))
                carried = self._over_blocks(blocks, image, weights, carried, inside)
            return carried

        return code.carried_loop(count, unrolled, sums, body)

    def _over_blocks(
        self,
        blocks: TapBlocks,
        image: Index,
        weights: Index,
        sums: Sequence[ir.Value],
        inside: Inside,
    ) -> Sequence[ir.Value]:
        step = blocks.step or (0, 0)
        tables = None
        if blocks.step is None and len(blocks.starts) > 1:
            tables = [code.table(blocks.starts), code.table(blocks.weight_starts)]

        def body(block: Index, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
            if tables is None:
                parts = [code.scaled(block, s) for s in step]
                parts = [code.add(parts[0], blocks.starts[0]),
                         code.add(parts[1], blocks.weight_starts[0])]  # fmt: skip
            else:
                parts = [memref.load(t, [code.as_value(block)]) for t in tables]
            return self._block(
                blocks, code.add(image, parts[0]), code.add(weights, parts[1]), carried
            )

        return self._over_ranges(len(blocks.starts), inside, sums, body)

    def _over_ranges(
        self,
        count: int,
        inside: Inside,
        sums: Sequence[ir.Value],
        body: Callable[[Index, Sequence[ir.Value]], Sequence[ir.Value]],
    ) -> Sequence[ir.Value]:
        """Loop over the blocks of taps that count; all where blocks and taps do not fit."""
        each_depth, rest = divmod(count, self.halo.depths)
        each_row, rest_of_row = divmod(each_depth, self.halo.row.kernel)
        if inside.rows is None or rest or rest_of_row or not each_row:
            if inside.depths is None or rest:
                return code.carried_loop(count, 1, sums, body)
            low, high = (code.scaled(d, each_depth) for d in inside.depths)
            return code.carried_range(low, high, sums, body)
        low, high = (code.scaled(r, each_row) for r in inside.rows)

        def over_rows(depth: Index, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
            first = code.scaled(depth, each_depth)
            return code.carried_range(code.add(first, low), code.add(first, high), carried, body)

        if inside.depths is None:
            return code.carried_loop(self.halo.depths, 1, sums, over_rows)
        return code.carried_range(*inside.depths, sums, over_rows)

    def _block(
        self, blocks: TapBlocks, image: Index, weights: Index, sums: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Emit the multiply-adds of one unrolled block of taps."""
        found = list(sums)
        lanes = self.halo.lanes
        for offset, weight in zip(blocks.offsets, blocks.weights, strict=True):
            pixels = [
                code.load(self.packed, code.add(image, offset + i * lanes), lanes)
                for i in range(self.vectors)
            ]
            for channel in range(self.channels):
                at = code.add(weights, weight + channel * self.out_channel_step)
                factor = self._factor(at)
                for i, vector_of_pixels in enumerate(pixels):
                    number = channel * self.vectors + i
                    found[number] = vector.fma(factor, vector_of_pixels, found[number])
        return found

    def _factor(self, at: Index) -> ir.Value:
        return code.broadcast(memref.load(self.weights, [code.as_value(at)]), self.halo.lanes)


def cover(tile: Tile, pixels: Index) -> Iterator[tuple[Tile, Index]]:
    """Emit what follows for tiles that cover some pixels: whole ones, then a narrower one.

    Yields:
        A tile, and its first pixel; once for each width.
    """
    lanes, whole = tile.halo.lanes, tile.pixels
    if isinstance(pixels, int):
        narrow = -(-(pixels % whole) // lanes) % tile.vectors
        full: Index = pixels // whole + (pixels % whole > narrow * lanes)
    else:
        # How many are left is not known: half a tile, or a whole one.
        narrow = tile.vectors // 2
        full, _ = code.quotient(code.add(pixels, whole - 1 - narrow * lanes), whole)
    if full != 0:
        with code.loop(0, full) as step:
            yield tile, code.scaled(step, whole)
    if not narrow:
        return
    last = dataclasses.replace(tile, vectors=narrow)
    start = code.scaled(full, whole)
    if isinstance(pixels, int):
        yield last, start
        return
    left, _ = code.branch(code.less(start, pixels))
    with left:
        yield last, start
