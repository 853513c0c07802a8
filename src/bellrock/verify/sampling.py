"""Gathering noisy runs into budgets.

Flows in: the reference's output and the same output of a few noisy runs. Flows out: a
`Budget`. Noise is averaged over elements of like magnitude, over the groups of several
partitions, and it is counted how many independent errors there are in a group.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from bellrock.verify.blocks import (
    GroupSums,
    Slices,
    all_finite,
    canonical_shape,
    group_counts,
    iterate_blocks,
    partitions_of,
)
from bellrock.verify.budget import Budget
from bellrock.verify.scale import BINS, Scale, bin_of

_PRIOR = 16.0
"""Elements that a sparse bin's or group's statistics are blended with, at its neighbours'."""


@dataclass(kw_only=True, slots=True)
class NoiseStatistics:
    """Gathers noisy runs of one output into a `Budget`, holding one tensor of its size."""

    reference: torch.Tensor
    roundoff: float
    scale: Scale
    samples: int = 0
    excused: torch.Tensor | None = None
    _squares: torch.Tensor = field(init=False)
    _counts: dict[str, torch.Tensor] = field(init=False)
    _moments: dict[str, tuple[torch.Tensor, torch.Tensor]] = field(init=False)
    _common: dict[str, list[float]] = field(init=False)

    def __post_init__(self) -> None:
        """Allocate."""
        shape = canonical_shape(tuple(self.reference.shape))
        self._squares = torch.zeros(shape, dtype=torch.float32)
        self._counts = group_counts(shape)
        sizes = partitions_of(shape)
        self._moments = {
            name: (torch.zeros(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64))
            for name, size in sizes.items()
        }
        self._common = {name: [] for name in sizes}

    @property
    def shape(self) -> tuple[int, int, int]:
        """The canonical shape."""
        return canonical_shape(tuple(self.reference.shape))

    def add(self, noisy: torch.Tensor) -> None:
        """Add one noisy run's output."""
        clean, noisy = self.reference.reshape(self.shape), noisy.reshape(self.shape)
        squares, sums, signed = (GroupSums(shape=self.shape) for _ in range(3))
        for where in iterate_blocks(self.shape):
            block = clean[where].double()
            error = self._error(block, noisy[where].double(), where)
            magnitude = self.scale.magnitude(block)
            self._squares[where] += (error / magnitude).square_()
            # how errors hang together is a matter of the bulk, not of the smallest elements
            error /= magnitude.clamp_min_(1.0)
            squares.add(where, error.square())
            sums.add(where, error)
            signed.add(where, torch.where(block < 0, -error, error))
        self.samples += 1
        for name, group in squares.sums.items():
            first, second = self._moments[name]
            first += group
            second += group.square()
            alike = torch.maximum(sums.sums[name].square(), signed.sums[name].square()) / group
            alike = alike[torch.isfinite(alike)]
            self._common[name].append(float(alike.mean()) if alike.numel() else 1.0)

    def _error(self, clean: torch.Tensor, noisy: torch.Tensor, where: Slices) -> torch.Tensor:
        error = noisy - clean
        if all_finite(error):
            return (error / self.scale.unit).float()
        finite = torch.isfinite(error)
        overflown = torch.isfinite(clean) & ~torch.isfinite(noisy)
        if bool(overflown.any()):
            if self.excused is None:
                self.excused = torch.zeros(self.shape, dtype=torch.bool)
            self.excused[where] |= overflown
        return torch.where(finite, error / self.scale.unit, 0.0).float()

    def independent(self) -> dict[str, float]:
        """Return, per partition, the number of independent errors in one group.

        From the means (errors of one sign, or proportional to the result, add up) and from
        how much the groups' mean squares vary between runs; the smaller counts.
        """
        found: dict[str, float] = {}
        for name, counts in self._counts.items():
            size = float(counts.mean())
            alike = sum(self._common[name]) / max(1, len(self._common[name]))
            estimate = size / max(1.0, alike)
            first, second = self._moments[name]
            if self.samples > 1 and counts.numel() * (self.samples - 1) >= 16:
                mean = first / self.samples
                variance = (second / self.samples - mean.square()) / (1 - 1 / self.samples)
                relative = (variance / mean.square())[mean > 0]
                if relative.numel():
                    estimate = min(estimate, 2.0 / max(1e-12, float(relative.mean())))
            found[name] = max(1.0, estimate)
        for name, counts in self._counts.items():
            found["whole"] = min(found["whole"], found[name] * counts.numel())
        return found

    def finish(self) -> Budget:
        """Return the budget."""
        bins = self._bins()
        return Budget(
            shape=self.shape, scale=self.scale, roundoff=self.roundoff, bins=bins,
            groups=self._groups(bins), independent=self.independent(), samples=self.samples,
            excused=self.excused,
        )  # fmt: skip

    def _bins(self) -> torch.Tensor:
        """Root mean square of the noise per bin, over the elements that have any.

        Elements without noise are exact, or on the flat side of a kink (a zero of a relu);
        they get what the others of their bin have. Negative and other values have bins of
        their own, blended with those of both: an activation treats them differently.
        """
        sums = torch.zeros(2 * BINS, dtype=torch.float64)
        counts = torch.zeros(2 * BINS, dtype=torch.float64)
        clean = self.reference.reshape(self.shape)
        for where in iterate_blocks(self.shape):
            index = bin_of(self.scale.magnitude(clean[where]), clean[where]).flatten()
            squares = self._squares[where].flatten()
            sums += torch.bincount(index, squares.double(), 2 * BINS)
            counts += torch.bincount(index[squares > 0], minlength=2 * BINS)
        counts *= max(1, self.samples)
        both = _blended(sums[:BINS] + sums[BINS:], counts[:BINS] + counts[BINS:]).repeat(2)
        return ((sums + _PRIOR * both) / (counts + _PRIOR)).sqrt().float()

    def _groups(self, bins: torch.Tensor) -> dict[str, torch.Tensor]:
        """How far each group's noise is above what its elements' bins say, where it is."""
        sums, counts = GroupSums(shape=self.shape), GroupSums(shape=self.shape)
        clean = self.reference.reshape(self.shape)
        inverse = bins.square().reciprocal().nan_to_num(posinf=0.0)
        for where in iterate_blocks(self.shape):
            squares = self._squares[where]
            index = bin_of(self.scale.magnitude(clean[where]), clean[where])
            sums.add(where, squares * inverse[index])
            counts.add(where, (squares > 0).float())
        excess = {}
        for name, group in sums.sums.items():
            samples = counts.sums[name] * max(1, self.samples)
            above = ((group + _PRIOR) / (samples + _PRIOR)).sqrt().clamp_min(1.0).float()
            if float(above.max()) > 1.0:
                excess[name] = above
        return excess


def _blended(sums: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean squares of bins, sparse ones blended with the next on the side of the fullest.

    Towards larger magnitudes the relative error is taken to stay, towards smaller ones the
    absolute error; and the lowest bin, where the zeros are, has at least that of the next.
    """
    squares = torch.zeros(BINS, dtype=torch.float64)
    fullest = int(counts.argmax())
    squares[fullest] = sums[fullest] / counts[fullest].clamp_min(1.0)
    for index in range(fullest + 1, BINS):
        prior = squares[index - 1]
        squares[index] = (sums[index] + _PRIOR * prior) / (counts[index] + _PRIOR)
    for index in range(fullest - 1, -1, -1):
        prior = squares[index + 1] * 16.0
        squares[index] = (sums[index] + _PRIOR * prior) / (counts[index] + _PRIOR)
    if fullest > 0:
        squares[0] = torch.maximum(squares[0], squares[1] * 16.0)
    elif bool(counts[1:].any()):
        above = 1 + int(counts[1:].argmax())
        squares[0] = torch.maximum(squares[0], squares[above] * 16.0**above)
    return squares
