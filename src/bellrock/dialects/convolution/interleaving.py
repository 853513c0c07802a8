"""Vectors side by side, and their elements by remainder: one into the other by shuffles.

Flows in: a power of two of vectors. Flows out: as many vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch_mlir import ir

from bellrock.dialects import vector_code as code


def deinterleaved(parts: Sequence[ir.Value]) -> list[ir.Value]:
    """Return the elements of n vectors side by side by remainder by n, a power of two."""
    if len(parts) == 1:
        return list(parts)
    lanes = ir.VectorType(parts[0].type).shape[0]
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    halves = (
        deinterleaved([code.shuffle(a, b, range(first, 2 * lanes, 2)) for a, b in pairs])
        for first in (0, 1)
    )
    return [part for pair in zip(*halves, strict=True) for part in pair]


def interleaved(parts: Sequence[ir.Value]) -> list[ir.Value]:
    """Return vectors side by side of which `parts` are the elements by remainder by their number.

    Args:
        parts: a power of two of vectors.
    """
    if len(parts) == 1:
        return list(parts)
    lanes = ir.VectorType(parts[0].type).shape[0]
    found = []
    for even, odd in zip(interleaved(parts[::2]), interleaved(parts[1::2]), strict=True):
        for first in (0, lanes // 2):
            picks = [first + i // 2 + (i % 2) * lanes for i in range(lanes)]
            found.append(code.shuffle(even, odd, picks))
    return found
