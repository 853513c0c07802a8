"""Sizes of a convolution and of the packed input that a block of its output needs.

Flows in: sizes, strides and dilations. Flows out: `Halo`, from which the packing, the inner
loops and the choice of block sizes are all derived. Free of MLIR.

A block is `rows` x `columns` output pixels of one image. Its input is packed so that every
tap of the filter is a constant offset: an input read at stride s is split into s phases (by
remainder), rows are laid out at one pitch, and pixels are numbered along that pitch. Of each
row, the last `pitch - columns` pixels are computed in vain. Padding at the end of a row is that
at the beginning of the next one, as far as both have some: then fewer are.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

LARGEST_UNROLLED = 160
"""Multiply-adds of one unrolled block. Beyond, LLVM's scheduler mixes taps until registers
spill (25 taps x 16 channels: a hundred spills, half the speed), and compile time grows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """One spatial dimension."""

    output: int = 1
    """Output positions."""
    kernel: int = 1
    """Taps."""
    stride: int = 1
    dilation: int = 1
    size: int = 1
    """Input positions."""
    low: int = 0
    """Padding before the first input position."""
    spread: int = 1
    """Distance of input positions: above 1, zeros are between them (a transposed
    convolution). Only with a stride of 1."""

    @property
    def phases(self) -> tuple[int, ...]:
        """The remainders by the stride at which the input is read."""
        return _phases(self.kernel, self.stride, self.dilation)

    @property
    def reach(self) -> int:
        """How many packed positions beyond the output ones are read."""
        return (self.kernel - 1) * self.dilation // self.stride

    @property
    def padded(self) -> bool:
        """Whether positions outside the input are read."""
        last = (self.output - 1) * self.stride - self.low + (self.kernel - 1) * self.dilation
        return self.low > 0 or last >= self.size

    def spread_taps(self, remainder: int) -> list[tuple[int, int]]:
        """Return the taps that meet no zero, for outputs of one remainder by `spread`.

        Args:
            remainder: of an output position.

        Returns:
            Pairs (tap, input position minus the output position divided by `spread`).
        """
        at = [(k, remainder + k * self.dilation - self.low) for k in range(self.kernel)]
        return [(k, a // self.spread) for k, a in at if a % self.spread == 0]

    @property
    def dense(self) -> Axis:
        """The window over the input without zeros that holds all taps of all remainders."""
        if self.spread == 1:
            return self
        offsets = [e for r in range(self.spread) for _, e in self.spread_taps(r)]
        return Axis(
            output=-(-self.output // self.spread),
            kernel=max(offsets) - min(offsets) + 1,
            size=self.size,
            low=-min(offsets),
        )

    def tap(self, index: int) -> tuple[int, int]:
        """Return the number of a tap's phase, and its packed offset."""
        offset, phase = divmod(index * self.dilation, self.stride)
        return self.phases.index(phase), offset


@lru_cache
def _phases(kernel: int, stride: int, dilation: int) -> tuple[int, ...]:
    return tuple(sorted({k * dilation % stride for k in range(kernel)}))


@dataclass(frozen=True, slots=True)
class Halo:
    """The packed input of one block of output (see the module's docstring)."""

    leading: tuple[Axis, ...]
    """Axes before the last two; of these a block has one position."""
    row: Axis
    column: Axis
    in_channels: int
    rows: int
    """Of a block."""
    columns: int
    """Of a block."""
    lanes: int
    """Of a vector: planes are padded, because rows are written in whole vectors."""

    @property
    def width(self) -> int:
        """Positions of a packed row."""
        return self.columns + self.column.reach

    @property
    def shared(self) -> int:
        """Last positions of a packed row that are the next row's first: padding in both."""
        if self.columns < self.column.output:
            return 0
        return min(min(self._around(phase)) for phase in self.column.phases)

    def _around(self, phase: int) -> tuple[int, int]:
        """Return how many positions of a packed row are before the image, and behind it."""
        axis = self.column
        first, end = (-(-(axis.low + at - phase) // axis.stride) for at in (0, axis.size))
        return max(0, first), max(0, self.width - end)

    @property
    def pitch(self) -> int:
        """Distance of packed rows."""
        return self.width - self.shared

    @property
    def packed_rows(self) -> int:
        """Rows of one plane."""
        return self.rows + self.row.reach

    @property
    def plane(self) -> int:
        """Elements of one plane: one phase of one channel."""
        return self.packed_rows * self.pitch + self.shared + self.lanes

    @property
    def depths(self) -> int:
        """Taps along the leading axes, each of which has planes of its own."""
        return math.prod(a.kernel for a in self.leading)

    @property
    def channel(self) -> int:
        """Elements of one channel."""
        return self.depths * len(self.row.phases) * len(self.column.phases) * self.plane

    def pixels(self, rows: int) -> int:
        """Return the pixels of some rows, numbered along the pitch."""
        return (rows - 1) * self.pitch + self.columns

    def by_rows(self, tile: int) -> bool:
        """Whether tiles start anew at each row of a block, since fewer pixels are in vain."""
        across = -(-self.pixels(self.rows) // tile)
        return self.rows > 1 and self.rows * self.row_tiles(tile) <= across

    def row_tiles(self, tile: int) -> int:
        """Return the tiles of one row."""
        return -(-self.columns // tile)

    def tiles(self, rows: int, tile: int) -> int:
        """Return the tiles of some rows of a block."""
        if self.by_rows(tile):
            return rows * self.row_tiles(tile)
        return -(-self.pixels(rows) // tile)

    def tile_widths(self, vectors: int) -> dict[int, float]:
        """Return the tiles of an average block, by their width in vectors.

        Args:
            vectors: of a whole tile; the last one of a row or block is as narrow as it can be.
        """
        found: dict[int, float] = {}
        by_rows = self.by_rows(vectors * self.lanes)
        rows, columns = (
            _cut(total, size)
            for total, size in ((self.row.output, self.rows), (self.column.output, self.columns))
        )
        blocks = sum(rows.values()) * sum(columns.values())
        for (height, up), (width, across) in itertools.product(rows.items(), columns.items()):
            pixels = width if by_rows else (height - 1) * self.pitch + width
            times = up * across * (height if by_rows else 1) / blocks
            for lanes, count in _cut(pixels, vectors * self.lanes).items():
                wide = -(-lanes // self.lanes)
                found[wide] = found.get(wide, 0.0) + times * count
        return found

    def span(self, tile: int) -> int:
        """Return how many pixels all tiles of a block lie in."""
        if self.by_rows(tile):
            return (self.rows - 1) * self.pitch + self.row_tiles(tile) * tile
        return self.tiles(self.rows, tile) * tile

    def elements(self, tile: int) -> int:
        """Return the size of the whole buffer, for tiles of so many pixels."""
        return self.in_channels * self.channel + tile + self.width + 2 * self.lanes

    def plane_at(self, depth: int, row_phase: int, column_phase: int) -> int:
        """Return where a plane of a channel starts."""
        number = (depth * len(self.row.phases) + row_phase) * len(self.column.phases)
        return (number + column_phase) * self.plane

    def taps(self) -> list[int]:
        """Return the offset of each tap from a pixel, in the order of the filter."""
        offsets: list[int] = []
        depths = range(self.depths)
        for depth, h, w in itertools.product(
            depths, range(self.row.kernel), range(self.column.kernel)
        ):
            row_phase, row = self.row.tap(h)
            column_phase, column = self.column.tap(w)
            start = self.plane_at(depth, row_phase, column_phase)
            offsets.append(start + row * self.pitch + column)
        return offsets


def _cut(total: int, size: int) -> dict[int, int]:
    """Return how many parts of each size a length is cut into."""
    whole, rest = divmod(total, size)
    return {part: count for part, count in ((size, whole), (rest, 1)) if part and count}


@dataclass(frozen=True, slots=True)
class PhaseTaps:
    """The taps of a transposed convolution, by the remainders of an output position."""

    starts: tuple[int, ...]
    """Of each phase in the lists below, and their length."""
    offsets: tuple[int, ...]
    """In the packed input."""
    weights: tuple[int, ...]
    """In the filter."""


def phase_taps(halo: Halo, axes: list[tuple[Axis, int]]) -> PhaseTaps:
    """Return the taps that meet no zero, phase by phase; the last axis varies fastest.

    Args:
        halo: of the dense axes.
        axes: the axes, and the step of the filter along each.
    """
    starts, offsets, weights = [0], [], []
    for remainders in itertools.product(*(range(axis.spread) for axis, _ in axes)):
        choices = [axis.spread_taps(r) for (axis, _), r in zip(axes, remainders, strict=True)]
        for taps in itertools.product(*choices):
            depth = 0
            moves = [e + axis.dense.low for (axis, _), (_, e) in zip(axes, taps, strict=True)]
            for axis, move in zip(halo.leading, moves[:-2], strict=True):
                depth = depth * axis.kernel + move
            row, column = moves[-2:]
            offsets.append(halo.plane_at(depth, 0, 0) + row * halo.pitch + column)
            weights.append(sum(k * step for (k, _), (_, step) in zip(taps, axes, strict=True)))
        starts.append(len(offsets))
    return PhaseTaps(tuple(starts), tuple(offsets), tuple(weights))


@dataclass(frozen=True, slots=True)
class TapBlocks:
    """How the taps of one channel are cut into unrolled blocks that look alike."""

    offsets: tuple[int, ...]
    """Of the taps of a block, from its start."""
    weights: tuple[int, ...]
    starts: tuple[int, ...]
    """Of the blocks, in the packed input."""
    weight_starts: tuple[int, ...]

    @property
    def step(self) -> tuple[int, int] | None:
        """The distance of blocks, in input and weights, where it is always the same."""
        steps = {
            (b - a, d - c)
            for (a, b), (c, d) in zip(
                itertools.pairwise(self.starts), itertools.pairwise(self.weight_starts),
                strict=True,
            )
        }  # fmt: skip
        return steps.pop() if len(steps) == 1 else None


def cut_taps(offsets: list[int], weights: list[int], largest: int) -> TapBlocks:
    """Cut taps into the largest equal blocks of at most so many taps.

    Args:
        offsets: of each tap in the packed input.
        weights: of each tap in the filter.
        largest: at least 1.
    """
    count = len(offsets)
    for size in range(min(count, largest), 0, -1):
        if count % size:
            continue
        blocks = [_relative(offsets[i : i + size], weights[i : i + size])
                  for i in range(0, count, size)]  # fmt: skip
        if len(set(blocks)) == 1:
            inputs, filters = blocks[0]
            return TapBlocks(inputs, filters, tuple(offsets[::size]), tuple(weights[::size]))
    raise AssertionError("blocks of one tap always look alike")


def _relative(offsets: list[int], weights: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (
        tuple(o - offsets[0] for o in offsets),
        tuple(w - weights[0] for w in weights),
    )
