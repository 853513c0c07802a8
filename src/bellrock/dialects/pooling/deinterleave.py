"""Vectors of every s-th element of a buffer.

Flows in: a buffer, where to start, the step. Flows out: vectors. Whole vectors are loaded, which
the taps of a window share, and lanes are picked; over many vectors, elements are gathered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch_mlir import ir

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.geometry import Axis
from bellrock.dialects.vector_code import Index

MOST_SHUFFLED = 8
"""Vectors that lanes are picked out of by shuffles: one fewer of these than vectors."""
LONG_WINDOW = 8
"""Taps that take longer to gather than as many vectors' lanes to combine."""


def picks_lanes(step: int, inside: int, lanes: int) -> bool:
    """Whether vectors of a step are shuffled out of whole ones, and not gathered.

    Args:
        step: distance of the elements.
        inside: lanes that are wanted.
        lanes: of a vector.
    """
    return -(-inside * step // lanes) <= MOST_SHUFFLED


def sums_each(axis: Axis, inside: int, lanes: int) -> bool:
    """Whether the windows along a row are combined one by one, by vectors along each.

    Otherwise one vector of windows is combined, tap by tap, each of which would be gathered.
    """
    gathers = axis.stride > 1 and not picks_lanes(axis.stride, inside, lanes)
    return gathers and axis.dilation == 1 and axis.kernel >= LONG_WINDOW


@dataclass(frozen=True, slots=True)
class Strided:
    """Every `step`-th element of a buffer, from a place on."""

    buffer: ir.Value
    start: Index
    step: int
    lanes: int
    inside: int
    """Lanes that are wanted: what the others hold is undefined."""
    _loaded: dict[int, ir.Value] = field(default_factory=dict)

    def load(self, offset: int) -> ir.Value:
        """Return a vector from `offset` behind the start on."""
        if self.step == 1:
            return self._vector(offset)
        if not picks_lanes(self.step, self.inside, self.lanes):
            return self.gather(offset)
        phase = offset % self.step
        last = phase + (self.inside - 1) * self.step
        starts = range(offset - phase, offset - phase + last + 1, self.lanes)
        return self._picked([self._vector(at) for at in starts], phase)

    def gather(self, offset: Index) -> ir.Value:
        """Return a vector from an offset that need not be known."""
        at = code.add(self.start, offset)
        if self.step == 1:
            return code.load(self.buffer, at, self.lanes)
        return code.gather(self.buffer, at, [i * self.step for i in range(self.lanes)])

    def _vector(self, offset: int) -> ir.Value:
        if offset not in self._loaded:
            at = code.add(self.start, offset)
            self._loaded[offset] = code.load(self.buffer, at, self.lanes)
        return self._loaded[offset]

    def _picked(self, vectors: list[ir.Value], phase: int) -> ir.Value:
        """Pick lanes `phase + i * step` of vectors that follow each other."""
        lanes, found = self.lanes, vectors[0]
        wanted = [phase + min(i, self.inside - 1) * self.step for i in range(lanes)]
        if len(vectors) == 1:
            return code.shuffle(found, found, wanted)
        for number, vector in enumerate(vectors[1:], start=1):
            low, high = number * lanes, (number + 1) * lanes
            # What earlier vectors gave lies in its place already, after the first shuffle.
            earlier = [w if number == 1 else i for i, w in enumerate(wanted)]
            pick = [
                lanes + w - low if low <= w < high else (e if w < low else 0)
                for w, e in zip(wanted, earlier, strict=True)
            ]
            found = code.shuffle(found, vector, pick)
        return found
