"""Vectors of every s-th element of a buffer.

Flows in: a buffer, where to start, the step. Flows out: vectors. Small steps load whole vectors
and pick lanes, which the taps of a window share; larger ones gather.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch_mlir import ir

from bellrock.dialects import vector_code as code
from bellrock.dialects.vector_code import Index

LARGEST_SHUFFLED = 4
"""Largest step by shuffles: it takes one load and one shuffle less one for each."""


@dataclass(frozen=True, slots=True)
class Strided:
    """Every `step`-th element of a buffer, from a place on."""

    buffer: ir.Value
    start: Index
    step: int
    lanes: int
    _loaded: dict[int, ir.Value] = field(default_factory=dict)

    def load(self, offset: int) -> ir.Value:
        """Return a vector from `offset` behind the start on."""
        if self.step > LARGEST_SHUFFLED:
            return self.gather(offset)
        if self.step == 1:
            return self._vector(offset)
        phase = offset % self.step
        vectors = [self._vector(offset - phase + i * self.lanes) for i in range(self.step)]
        return self._picked(vectors, phase)

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
        wanted = [phase + i * self.step for i in range(lanes)]
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
