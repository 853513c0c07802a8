"""Sums across the lanes of several vectors at once.

Flows in: up to as many vectors as one has lanes. Flows out: one vector, whose lane i is the
sum of vector i.

One vector after the other, a sum takes two ops for each halving and leaves a scalar. Together,
vectors are halved in pairs: the halves of two make one vector, so that 16 sums of 16 lanes take
45 ops instead of some 160. The first two rounds stay inside 128 bits, where shuffles are cheapest.
"""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import arith, vector

_BLOCK = 4
"""Lanes of 128 bits."""
FEWEST = 5
"""Vectors from which on the rounds, which are the same for few, are worth it."""


def lane_sums(lines: list[ir.Value], zero: ir.Value) -> ir.Value:
    """Return the vector whose lane i is the sum of the lanes of `lines[i]`.

    Args:
        lines: vectors, at most as many as a vector has lanes; that is a power of two.
        zero: a vector of zeros.
    """
    (lanes,) = zero.type.shape
    lines = [*lines, *[zero] * (lanes - len(lines))]
    for unit, group in _rounds(lanes):
        low, high = _halves(lanes, unit, group)
        pairs = zip(lines[0::2], lines[1::2], strict=True)
        lines = [
            arith.addf(vector.shuffle(a, b, low), vector.shuffle(a, b, high)) for a, b in pairs
        ]
    return lines[0]


def _rounds(lanes: int) -> list[tuple[int, int]]:
    """Return, for each round, how many lanes move together, and inside how many they stay."""
    inside = min(lanes, _BLOCK)
    first = [(1, inside)] * (inside.bit_length() - 1)
    return [*first, *[(_BLOCK, lanes)] * ((lanes // inside).bit_length() - 1)]


def _halves(lanes: int, unit: int, group: int) -> tuple[list[int], list[int]]:
    """Return the even and the odd units of two vectors, first one's and then the other's."""
    low, high = [], []
    for start in range(0, lanes, group):
        for source in (0, lanes):
            for at in range(source + start, source + start + group, 2 * unit):
                low += range(at, at + unit)
                high += range(at + unit, at + 2 * unit)
    return low, high
