"""What can be chosen for a convolution by minimal filtering, and the default by an analytic rule.

Flows in: a motif, the processor's facts. Flows out: `WinogradKnobs`, or None where the lowering
(`bellrock/dialects/convolution/winograd`) does not take the motif.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from bellrock.dialects.convolution.geometry import Axis, Halo
from bellrock.dialects.convolution.minimal_filtering import ALGORITHMS, TAPS, TWO, MinimalFiltering
from bellrock.params.constraint import Constraint, Value
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif
from bellrock.payload.motifs.convolution import INEXACT, TRANSPOSED
from bellrock.target.base import Facts
from bellrock.target.cpu.constraints import CHANNELS_IN_REGISTERS, WHOLE_VECTORS, check_stack
from bellrock.target.cpu.convolution import (
    ADD_LATENCY,
    ELEMENT_BYTES,
    LONGEST,
    PARALLEL_CYCLES,
    Problem,
    best_direct_convolution,
    problem_of,
)

STACK_BYTES = 3 << 20
"""Most that a block's buffers may take of a thread's stack (OpenMP's smallest is 4 MiB)."""
GAIN = 0.9
"""Share of the direct way's estimated time below which this one is taken."""
FAR_BYTES_PER_CYCLE = 12
"""From the cache that the cores share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WinogradKnobs(Knobs, name="winograd"):
    """Minimal filtering: products of transformed tiles, as one contraction for each position."""

    channels: int = knob(
        unit="elements", low=1, high=64, values=(1, 2, 4, 6, 8, 12, 16, 24),
        help="Output channels of a register tile; they divide those of the convolution.",
    )  # fmt: skip
    vectors: int = knob(
        low=1, high=16, values=(1, 2, 3, 4, 6), help="Vectors of tiles of a register tile."
    )
    lanes: int = knob(
        unit="elements", low=4, high=16, values=(4, 8, 16), help="Tiles of results of a vector."
    )
    rows: int = knob(
        unit="elements", low=0, values=(0, 1, 2, 4, 7, 14),
        help="Rows of tiles of a block; 0: all.",
    )  # fmt: skip
    columns: int = knob(
        unit="elements", low=0, values=(0, 16, 32, 64),
        help="Columns of tiles of a block; 0: all.",
    )  # fmt: skip
    images: int = knob(unit="elements", low=1, values=(1, 2, 4, 8), help="Images of a block.")
    channel_group: int = knob(
        unit="elements", low=1, values=(16, 32, 64),
        help="Output channels that are transformed back together.",
    )  # fmt: skip
    channel_block: int = knob(
        unit="elements", low=0, values=(0, 64, 128, 256), help="Output channels of a block; 0: all."
    )
    parallel: bool = knob(help="Whether the cores share the blocks.")
    tile: int = knob(
        default=TWO.outputs, low=2, high=4, values=tuple(ALGORITHMS),
        help="Results of a tile along an axis; 4 loses more to rounding, and has to be allowed.",
    )  # fmt: skip

    constraints = (
        CHANNELS_IN_REGISTERS,
        WHOLE_VECTORS,
        Constraint("whole-panels", "out_channels % channels == 0"),
    )

    @property
    def algorithm(self) -> MinimalFiltering:
        """What its tiles are computed by."""
        return ALGORITHMS[self.tile]

    @classmethod
    def domain(cls, field: str, motif: Motif) -> Iterator[Value]:
        """Yield the values to try; of tiles, those that are allowed."""
        if field == "tile":
            yield from tiles_of(motif)
            return
        yield from Knobs.domain.__func__(cls, field, motif)  # type: ignore[attr-defined]

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check ranges and constraints, the shape of the filter, and the size of the buffers.

        Raises:
            SelectionError: one is broken; it is named, with the values that it saw.
        """
        Knobs.validate(self, motif, facts)
        if self.tile not in tiles_of(motif):
            raise self.broken(
                "tiles-that-are-allowed",
                got=f"tile={self.tile} for {motif.signature()}",
                allowed=list(tiles_of(motif)),
                hint="tiles of 4 x 4 need the variable `winograd_tile` of the pipeline at 4, a "
                "filter that is a weight, and 32 channels",
            )
        problem = tiled_problem(motif, self.algorithm)
        if problem is None:
            raise self.broken(
                "filter-of-3x3",
                got=motif.signature(),
                allowed="3 x 3 taps without strides, dilations or groups, of f32",
            )
        size = TiledBlock(problem, self).buffer_bytes
        check_stack(self, size, STACK_BYTES)


@dataclass(frozen=True, slots=True)
class TiledBlock:
    """A block of some knobs; `problem` has tiles of results for pixels."""

    problem: Problem
    knobs: WinogradKnobs

    @property
    def halo(self) -> Halo:
        """The packed input of one channel and image."""
        problem, knobs = self.problem, self.knobs
        height, width = problem.row.output, problem.column.output
        return Halo(
            leading=problem.leading, row=problem.row, column=problem.column, in_channels=1,
            rows=min(knobs.rows or height, height), columns=min(knobs.columns or width, width),
            lanes=knobs.lanes,
        )  # fmt: skip

    @property
    def reduced(self) -> int:
        """Products that are summed."""
        return self.problem.in_channels * math.prod(a.kernel for a in self.problem.leading)

    @property
    def images(self) -> int:
        """Of a block."""
        return min(self.knobs.images, self.problem.outer)

    @property
    def channels(self) -> int:
        """Output channels of a block."""
        total = self.problem.out_channels
        return min(self.knobs.channel_block or total, total)

    @property
    def group(self) -> int:
        """Output channels that are transformed back together."""
        panel = self.knobs.channels
        return panel * min(max(1, self.knobs.channel_group // panel), -(-self.channels // panel))

    def pitch(self, halo: Halo) -> int:
        """Tiles of results of a block, in whole register tiles."""
        pixels = self.images * halo.pixels(halo.rows)
        unit = self.knobs.lanes * min(self.knobs.vectors, -(-pixels // self.knobs.lanes))
        return -(-pixels // unit) * unit

    @property
    def buffer_bytes(self) -> int:
        """What a block takes of the stack."""
        halo, lanes = self.halo, self.knobs.lanes
        pitch = self.pitch(halo)
        algorithm = self.knobs.algorithm
        planes = algorithm.products * ((self.reduced + self.group) * pitch + 3 * lanes)
        results = algorithm.outputs**2 * self.group * pitch
        return ELEMENT_BYTES * (halo.elements(lanes) + planes + results)

    def cycles(self, cores: int, near_bytes: int) -> float:
        """Estimate the time of the whole convolution on some cores.

        Args:
            cores: that share the blocks.
            near_bytes: of a core's own cache.
        """
        problem, knobs, halo = self.problem, self.knobs, self.halo
        pitch, lanes = self.pitch(halo), knobs.lanes
        panel, count = knobs.channels, self.channels
        vectors = pitch // lanes
        register_tiles = vectors / min(knobs.vectors, vectors)
        registers = panel * min(knobs.vectors, vectors)
        step = max(registers, panel + knobs.vectors, 2 * ADD_LATENCY) / 2
        panels = -(-count // panel)
        square, outputs = knobs.algorithm.products, knobs.algorithm.outputs
        transform = transform_cycles(knobs.algorithm)
        multiply = square * panels * register_tiles * (self.reduced * step + registers + 20)
        per_image = -(-halo.pixels(halo.rows) // lanes)
        into = self.images * self.reduced * per_image * transform
        row_vectors = -(-halo.width // lanes)
        planes = halo.depths * outputs**2 * halo.packed_rows
        packing = self.images * problem.in_channels * planes * (
            pack_cycles(knobs.algorithm) * row_vectors + 4
        )  # fmt: skip
        back = count * vectors * transform
        results = count * self.images * halo.rows * outputs * (
            -(-outputs * halo.columns // lanes) * 5 + 5
        )  # fmt: skip
        filters = square * self.reduced * count * ELEMENT_BYTES
        image = square * self.reduced * pitch * ELEMENT_BYTES
        far = filters if filters > near_bytes // 2 else 0
        far += image * -(-count // self.group) if image > near_bytes * 3 // 4 else 0
        block = multiply + into + packing + back + results + far / FAR_BYTES_PER_CYCLE
        blocks = (
            -(-problem.outer // self.images)
            * math.prod(a.output for a in problem.leading)
            * -(-problem.row.output // halo.rows)
            * -(-problem.column.output // halo.columns)
            * -(-problem.out_channels // count)
        )
        return -(-blocks // cores) * block


def transform_cycles(algorithm: MinimalFiltering) -> float:
    """Return the cycles of one vector of tiles there or back: loads, stores and arithmetic."""
    return algorithm.image_operations / 2 + 29 / 16 * algorithm.products


def pack_cycles(algorithm: MinimalFiltering) -> float:
    """Return the cycles of a packed vector: a load, a store, a shuffle for each halving."""
    return 2 + math.log2(algorithm.outputs)


def tiles_of(motif: Motif) -> tuple[int, ...]:
    """Return the sizes of tiles that are allowed for a motif."""
    return tuple(ALGORITHMS) if motif.variant == INEXACT else (TWO.outputs,)


def tiled_problem(motif: Motif, algorithm: MinimalFiltering = TWO) -> Problem | None:
    """Return a motif with tiles of results for pixels; None where the lowering does not take it."""
    problem = problem_of(motif)
    if problem is None or problem.narrow or motif.dims["groups"] != 1:
        return None
    if motif.variant == TRANSPOSED:
        return None
    plane = (problem.row, problem.column)
    if any((a.kernel, a.stride, a.dilation) != (TAPS, 1, 1) for a in plane):
        return None
    if not motif.loops_of("out_channel"):
        return None
    row, column = (_tiled(a, algorithm) for a in plane)
    return dataclasses.replace(problem, row=row, column=column)


def _tiled(axis: Axis, algorithm: MinimalFiltering) -> Axis:
    outputs = algorithm.outputs
    return dataclasses.replace(
        axis, output=-(-axis.output // outputs), kernel=algorithm.inputs, stride=outputs
    )


def best_winograd(motif: Motif, facts: Facts) -> tuple[WinogradKnobs, float] | None:
    """Return the legal blocks of the least estimated time, and that time in cycles."""
    each = (best_of_tile(motif, facts, tile) for tile in tiles_of(motif))
    return min((b for b in each if b is not None), key=lambda b: b[1], default=None)


def best_of_tile(motif: Motif, facts: Facts, tile: int) -> tuple[WinogradKnobs, float] | None:
    """Return the legal blocks of tiles of one size of the least estimated time, and that time."""
    problem = tiled_problem(motif, ALGORITHMS[tile])
    if problem is None:
        return None
    near = facts.cache_bytes.get("L2", 1 << 20)
    best: tuple[WinogradKnobs, float] | None = None
    for knobs in _candidates(problem, facts, tile):
        block = TiledBlock(problem, knobs)
        if block.buffer_bytes > STACK_BYTES:
            continue
        cycles = block.cycles(facts.cores, near)
        if best is None or cycles < best[1]:
            best = knobs, cycles
    if best is not None and TiledBlock(problem, best[0]).cycles(1, near) < PARALLEL_CYCLES:
        return dataclasses.replace(best[0], parallel=False, channel_block=0), best[1]
    return best


def default_convolution(motif: Motif, facts: Facts) -> Knobs | None:
    """Return the way to compute a convolution that is estimated to be clearly the fastest."""
    direct = best_direct_convolution(motif, facts)
    tiled = best_winograd(motif, facts)
    if direct is None or (tiled is not None and tiled[1] < GAIN * direct[1]):
        return None if tiled is None else tiled[0]
    return direct[0]


def _candidates(problem: Problem, facts: Facts, tile: int) -> Iterator[WinogradKnobs]:
    lanes = min(16, facts.vector_bits // 32)
    total = problem.out_channels
    for channels, vectors in _tiles(total, facts):
        panels = total // channels
        blocks = {channels * -(-panels // pieces) for pieces in (1, 2, 4)}
        for rows, columns, images, channel_block, group in itertools.product(
            _parts(problem.row.output, 1), _parts(problem.column.output, lanes),
            (1, 2, 4, 8), blocks, (32, 64),
        ):  # fmt: skip
            whole = rows == problem.row.output and columns == problem.column.output
            if images > 1 and (images > problem.outer or not whole):
                continue
            yield WinogradKnobs(
                channels=channels, vectors=vectors, lanes=lanes, rows=rows, columns=columns,
                images=images, channel_group=group, channel_block=channel_block, parallel=True,
                tile=tile,
            )  # fmt: skip


def _tiles(total: int, facts: Facts) -> Iterator[tuple[int, int]]:
    """Yield (channels, vectors) of register tiles whose channels divide all."""
    for vectors in (1, 2, 3, 4, 6):
        most = facts.vector_registers // 2 if vectors == 1 else (
            (facts.vector_registers - 2) // vectors - 1
        )  # fmt: skip
        channels = max((d for d in range(1, most + 1) if total % d == 0), default=0)
        if channels * vectors >= 2 * ADD_LATENCY:
            yield channels, vectors


def _parts(total: int, unit: int) -> list[int]:
    sizes: set[int] = set()
    for pieces in (1, 2, 3, 4, 6, 8, 12, 16, 32, 64):
        size = -(-total // pieces)
        size = min(total, -(-size // unit) * unit)
        if size <= LONGEST:
            sizes.add(size)
        if size <= max(unit, 1):
            break
    return sorted(sizes, reverse=True)
