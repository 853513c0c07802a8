"""The size of an output, and its elements in bins of magnitude.

Flows in: a reference output in the wide format. Flows out: its `Scale`, and for blocks of
it the magnitudes that errors are counted in. From here on errors are in f32 and in units of
the output's typical magnitude: they need three digits, and f32 is twice as fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from bellrock.verify.blocks import all_finite, canonical_shape, iterate_blocks

BINS = 48
FIRST_BIN = -12
"""Bins of magnitude by factors of 4 around the typical one; the first holds all below."""
_MANTISSA_BITS, _EXPONENT_OF_ONE = 23, 127
_SAMPLES_PER_BLOCK = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The size of an output."""

    typical: float
    """Median magnitude of the finite, nonzero elements; 0 if there are none."""
    spread: float
    """Standard deviation about the mean; the typical magnitude where that is 0."""

    @property
    def unit(self) -> float:
        """What errors are measured in: the typical magnitude, or 1."""
        return self.typical or 1.0

    def magnitude(self, block: torch.Tensor) -> torch.Tensor:
        """Return the magnitudes of a block in units, with the floor of the lowest bin (f32)."""
        return (block / self.unit).float().abs_().clamp_min_(4.0**FIRST_BIN)


def bin_of(magnitude: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
    """Return the bin of each magnitude, negative values (of `block`) in bins of their own.

    The exponent's bits say it without a logarithm.
    """
    exponent = magnitude.view(torch.int32) >> _MANTISSA_BITS
    exponent.sub_(_EXPONENT_OF_ONE + 2 * FIRST_BIN).bitwise_right_shift_(1).clamp_max_(BINS - 1)
    return exponent.add_(block < 0, alpha=BINS)


def scale_of(reference: torch.Tensor) -> Scale:
    """Measure an output (any shape), block by block."""
    shape = canonical_shape(tuple(reference.shape))
    view = reference.reshape(shape)
    count, total, squares = 0, 0.0, 0.0
    samples = []
    for where in iterate_blocks(shape):
        block = view[where].double()
        if not all_finite(block):
            block = block[torch.isfinite(block)]
        flat = block.reshape(-1)
        count += flat.numel()
        total += float(flat.sum())
        squares += float(torch.dot(flat, flat))
        magnitudes = flat[:: max(1, flat.numel() // _SAMPLES_PER_BLOCK)].abs()
        magnitudes = magnitudes[magnitudes > 0]
        if not len(magnitudes):  # rare ones between zeros
            magnitudes = flat[flat != 0][:_SAMPLES_PER_BLOCK].abs()
        samples.append(magnitudes)
    magnitudes = torch.cat(samples) if samples else torch.zeros(0)
    typical = float(magnitudes.median()) if magnitudes.numel() else 0.0
    mean = total / max(1, count)
    variance = max(0.0, squares / max(1, count) - mean * mean)
    spread = math.sqrt(variance) if variance > (1e-14 * mean) ** 2 else 0.0
    return Scale(typical=typical, spread=spread or typical)
