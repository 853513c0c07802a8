"""What can be chosen for a convolution on packed input, and the default by an analytic rule.

Flows in: a motif, the processor's facts. Flows out: `DirectConvolutionKnobs`, or None where the
lowering (`bellrock/dialects/convolution`) does not take the motif.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

from bellrock.dialects.convolution.geometry import LARGEST_UNROLLED, Axis, Halo
from bellrock.params.knobs import Knobs, knob
from bellrock.payload.motifs.base import Motif, MotifKind
from bellrock.target.base import Facts
from bellrock.target.cpu.constraints import CHANNELS_IN_REGISTERS, WHOLE_VECTORS, check_stack

ELEMENT_BYTES = 4
"""Input is packed, and summed, in f32."""
PACKED = ("f32", "bf16", "f16")
"""Types of image and filter: narrow ones are widened as they are packed."""
STACK_BYTES = 1 << 20
"""Most that a block's buffers may take of a thread's stack (OpenMP's smallest is 4 MiB)."""
PARALLEL_CYCLES = 20_000
"""Below this much work (about 5 microseconds), waking the other cores costs more than it gains."""
LONGEST = 1024
"""Most rows or columns of a block that are tried."""
CROSSING = 2
"""Loads that a vector takes which lies across two lines of the cache: at taps, nearly all do."""
TURN = 3
"""Cycles of a turn of the loop over channels and taps, which starts with loads."""
AGAIN = 0.4
"""Cycles by which a vector from the L2 cache delays multiply-adds."""
ADD_LATENCY = 4
"""Cycles from one multiply-add to the next on the same register."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectConvolutionKnobs(Knobs, name="direct-convolution"):
    """Blocks of output pixels on packed input; tiles of output channels x pixels in registers."""

    channels: int = knob(
        unit="elements", low=1, high=64, values=(1, 2, 4, 6, 8, 12, 16, 24),
        help="Output channels of a tile.",
    )  # fmt: skip
    vectors: int = knob(
        low=1, high=16, values=(1, 2, 3, 4, 6, 8), help="Vectors of pixels of a tile."
    )
    lanes: int = knob(
        unit="elements", low=4, high=16, values=(4, 8, 16), help="Pixels of a vector."
    )
    rows: int = knob(
        unit="elements", low=0, values=(0, 1, 4, 7, 14, 28, 56),
        help="Output rows of a block (transposed: of each phase); 0: all.",
    )  # fmt: skip
    columns: int = knob(
        unit="elements", low=0, values=(0, 96, 192, 384, 768),
        help="Output columns of a block (of a pointwise convolution: pixels); 0: all.",
    )  # fmt: skip
    channel_block: int = knob(
        unit="elements", low=0, values=(0, 64, 128, 256),
        help="Output channels of a block; 0: all of a group.",
    )  # fmt: skip
    parallel: bool = knob(help="Whether the cores share the blocks.")
    packed: bool = knob(
        default=False,
        help="Whether a filter that is fixed is packed, panel by panel, once per set of weights.",
    )

    constraints = (
        CHANNELS_IN_REGISTERS,
        WHOLE_VECTORS,
    )

    def validate(self, motif: Motif, facts: Facts) -> None:
        """Check ranges and constraints, and that the packed input of a block is small.

        Raises:
            SelectionError: one is broken; it is named, with the values that it saw.
        """
        Knobs.validate(self, motif, facts)
        problem = problem_of(motif)
        if problem is None:
            raise self.broken(
                "image-rows-along-memory",
                got=motif.signature(),
                allowed="a convolution summed in f32, columns innermost in image and result",
            )
        size = problem.buffer_bytes(self, problem.halo(self))
        check_stack(self, size, STACK_BYTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A convolution as the lowering sees it; rows of a pointwise one are a single row."""

    outer: int
    """Images times groups."""
    in_channels: int
    """Of a group."""
    out_channels: int
    """Of a group."""
    leading: tuple[Axis, ...]
    row: Axis
    column: Axis
    narrow: bool
    """Whether the filter is widened, panel by panel."""

    @property
    def taps(self) -> int:
        """Taps of the filter."""
        return math.prod(a.kernel for a in (*self.leading, self.row, self.column))

    def packs(self, channels: int, facts: Facts) -> bool:
        """Whether a panel of the filter is read better packed.

        That is where it leaves the L1 cache between tiles: in place it is a stream for each
        output channel, and often all of them fall into the same lines.

        Args:
            channels: output channels of a panel.
            facts: of the processor.
        """
        panel_bytes = ELEMENT_BYTES * channels * self.in_channels * self.taps
        near_bytes = facts.cache_bytes.get("L1d", 1 << 15)
        return self.out_channels > 1 and not self.narrow and panel_bytes > near_bytes // 2

    def halo(self, knobs: DirectConvolutionKnobs) -> Halo:
        """Return the packed input of a block."""
        height, width = self.row.output, self.column.output
        return Halo(
            leading=self.leading,
            row=self.row,
            column=self.column,
            in_channels=self.in_channels,
            rows=min(knobs.rows or height, height),
            columns=min(knobs.columns or width, width),
            lanes=knobs.lanes,
        )

    def buffer_bytes(self, knobs: DirectConvolutionKnobs, halo: Halo) -> int:
        """Return what a block takes of the stack: packed input, and sums of one panel."""
        tile = knobs.vectors * knobs.lanes
        pixels = halo.span(tile)
        panel = min(knobs.channels, self.out_channels)
        weights = panel * (self.in_channels * self.taps + knobs.lanes) if self.narrow else 0
        return ELEMENT_BYTES * (halo.elements(tile) + panel * pixels + weights)

    def cycles(
        self, knobs: DirectConvolutionKnobs, halo: Halo, cores: int, near_bytes: int
    ) -> float:
        """Estimate the time of the whole convolution on some cores.

        Terms: multiply-adds and their loads (two vectors of each in a cycle), packing,
        reading the packed input again for each panel, and the copy of the results to their
        rows. The constants are cycles for one vector.

        Args:
            knobs: of a block.
            halo: of a block.
            cores: that share the blocks.
            near_bytes: of a core's L1 cache.
        """
        block_channels = min(knobs.channel_block or self.out_channels, self.out_channels)
        panel = min(knobs.channels, block_channels)
        panels = -(-block_channels // panel)
        lines = halo.depths * self.row.kernel * len(self.column.phases)
        far = 3 * ELEMENT_BYTES * self.in_channels * halo.channel > 2 * near_bytes
        multiply = again = 0.0
        for vectors, tiles in halo.tile_widths(knobs.vectors).items():
            again += far * panels * tiles * self.in_channels * lines * (vectors + 1)
            registers = panel * vectors
            step = max(registers, panel + CROSSING * vectors, 2 * ADD_LATENCY) / 2
            turns = self.in_channels * -(-self.taps * registers // LARGEST_UNROLLED)
            tile = self.in_channels * self.taps * step + TURN * (turns - 1) + registers + 20
            multiply += panels * tiles * tile
        vectors = -(-halo.width // knobs.lanes)
        planes = halo.depths * len(self.row.phases) * len(self.column.phases)
        per_vector = {1: 2, 2: 3}.get(self.column.stride, 20)
        packing = self.in_channels * planes * halo.packed_rows * (vectors * per_vector + 4)
        results = panel * panels * halo.rows * (-(-halo.columns // knobs.lanes) * 4 + 4)
        blocks = (
            self.outer
            * math.prod(a.output for a in self.leading)
            * -(-self.row.output // halo.rows)
            * -(-self.column.output // halo.columns)
            * -(-self.out_channels // block_channels)
        )
        return -(-blocks // cores) * (multiply + AGAIN * again + packing + results)


def problem_of(motif: Motif) -> Problem | None:
    """Return a motif as the lowering sees it; None where it does not take it."""
    if motif.kind is not MotifKind.CONVOLUTION or not motif.plain or min(motif.loops) < 1:
        return None
    if any(o.dtype not in PACKED for o in motif.inputs):
        return None
    if motif.accumulator != "f32" or motif.outputs[0].dtype != "f32":
        return None
    images = [o for o in motif.inputs if o.layout.endswith(")")]
    lists = motif.lists
    count = len(lists["output"])
    if len(images) != 1 or count > 3 or not motif.outputs[0].layout.endswith("w"):
        return None
    inner, outer = motif.loops_of("in_channel"), motif.loops_of("out_channel")
    if len(inner) > 1 or len(outer) > 1:
        return None
    axes = [
        Axis(output=o, kernel=k, stride=s, dilation=d, size=i)
        for o, k, s, d, i in zip(
            lists["output"], lists["kernel"], lists["strides"], lists["dilations"], lists["input"],
            strict=True,
        )
    ]  # fmt: skip
    if all(a.kernel == a.stride == 1 for a in axes):
        pixels = math.prod(a.output for a in axes)
        axes = [Axis(output=pixels, size=pixels)]
    return Problem(
        outer=motif.dims["batch"] * motif.dims["groups"],
        in_channels=math.prod(motif.loops[i] for i in inner),
        out_channels=math.prod(motif.loops[i] for i in outer),
        leading=tuple(axes[:-2]),
        row=axes[-2] if len(axes) > 1 else Axis(),
        column=axes[-1],
        narrow=any(o.dtype != "f32" for o in motif.inputs),
    )


def best_direct_convolution(
    motif: Motif, facts: Facts
) -> tuple[DirectConvolutionKnobs, float] | None:
    """Return the legal blocks of the least estimated time, and that time in cycles."""
    problem = problem_of(motif)
    if problem is None:
        return None
    limit = min(STACK_BYTES, facts.cache_bytes.get("L2", STACK_BYTES) // 2)
    near = facts.cache_bytes.get("L1d", 1 << 15)
    best: DirectConvolutionKnobs | None = None
    least = math.inf
    for knobs in _candidates(problem, facts):
        halo = problem.halo(knobs)
        cycles = problem.cycles(knobs, halo, facts.cores, near)
        if cycles < least and problem.buffer_bytes(knobs, halo) <= limit:
            best, least = knobs, cycles
    if best is None:
        return None
    if problem.cycles(best, problem.halo(best), 1, near) < PARALLEL_CYCLES:
        best = dataclasses.replace(best, parallel=False, channel_block=0)
    return best, least


def _candidates(problem: Problem, facts: Facts) -> Iterator[DirectConvolutionKnobs]:
    """Yield tiles that fill the registers, by blocks of all sizes that are worth a look."""
    lanes = min(16, facts.vector_bits // 32)
    for channels, vectors in _tiles(problem, facts):
        panels = -(-problem.out_channels // channels)
        blocks = {channels * -(-panels // pieces) for pieces in (1, 2, 4, 8)}
        for rows in _parts(problem.row.output, 1):
            for columns in _parts(problem.column.output, lanes * vectors):
                for channel_block in blocks:
                    yield DirectConvolutionKnobs(
                        channels=channels, vectors=vectors, lanes=lanes, rows=rows,
                        columns=columns, channel_block=channel_block, parallel=True,
                        packed=problem.packs(channels, facts),
                    )  # fmt: skip


def _tiles(problem: Problem, facts: Facts) -> Iterator[tuple[int, int]]:
    """Yield (channels, vectors) of tiles: all channels in the fewest equal panels."""
    for vectors in (1, 2, 3, 4, 6):
        if vectors == 1:
            most = 3 * facts.vector_registers // 4
        else:
            most = (facts.vector_registers - 2) // vectors - 1
        if most >= 1:
            channels = _even_part(problem.out_channels, most)
            if vectors == 1 or channels * vectors >= ADD_LATENCY:
                yield channels, vectors


def _even_part(total: int, most: int) -> int:
    """Return the size of the fewest equal parts of at most `most`."""
    return -(-total // -(-total // most))


def _parts(total: int, unit: int) -> list[int]:
    """Return sizes of 1, 2, 3, 4, 6, 8, ... equal parts of at most `LONGEST`, in units."""
    first = -(-total // LONGEST)
    sizes: set[int] = set()
    for pieces in (1, 2, 3, 4, 6, 8, 12, 16, 32, 64):
        size = -(-total // (first * pieces))
        sizes.add(min(total, -(-size // unit) * unit))
        if size <= max(unit, 1):
            break
    return sorted(sizes, reverse=True)
