"""The error budget of one output: what rounding noise makes of it, element by element.

Flows in: the reference's output and the same output of a few noisy runs. Flows out: a
`Budget`: the expected error of each element, how many independent errors there are, and the
limits that follow for single elements and for groups. See docs/verification.md, "Budgets".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from bellrock.verify import quantiles
from bellrock.verify.blocks import (
    GroupSums,
    Slices,
    canonical_shape,
    expand_groups,
    group_counts,
    iterate_blocks,
    partitions_of,
)

FALSE_ALARM = 1e-6
"""Probability of rejecting a right answer, per test, if errors are as the noise's."""
_FLOOR = 4 * 2.0**-24
"""Roundoffs of f32 that any element may lose, of the output's typical magnitude."""
_BINS = 48
_LONGEST_TAIL = 8.0
"""How much the limits are raised at most where noise is uneven in ways that the partitions do
not show; what lies further out is counted (see `Expectation.jumps`)."""
_FIRST_BIN = -12
"""Bins of magnitude by factors of 4 around the typical one; the first holds all below."""
_PRIOR = 16.0
"""Elements that a small group's statistics are blended with, at the average of all."""


@dataclass(kw_only=True, slots=True)
class Scale:
    """The size of an output: what its elements and their errors are measured by."""

    typical: float
    """Median magnitude of the finite, nonzero elements."""
    spread: float
    """Standard deviation about the mean; the typical magnitude where that is 0."""


def scale_of(reference: torch.Tensor) -> Scale:
    """Measure an output (any shape), block by block."""
    shape = canonical_shape(tuple(reference.shape))
    view = reference.reshape(shape)
    count, total, squares = 0, 0.0, 0.0
    samples = []
    for where in iterate_blocks(shape):
        block = view[where].double()
        block = block[torch.isfinite(block)]
        count += block.numel()
        total += float(block.sum())
        squares += float(block.square().sum())
        magnitudes = block[block != 0].abs()
        samples.append(magnitudes[:: max(1, magnitudes.numel() // 4096)])
    magnitudes = torch.cat(samples) if samples else torch.zeros(0)
    typical = float(magnitudes.median()) if magnitudes.numel() else 0.0
    mean = total / max(1, count)
    variance = max(0.0, squares / max(1, count) - mean * mean)
    spread = math.sqrt(variance) if variance > (1e-14 * mean) ** 2 else 0.0
    return Scale(typical=typical, spread=spread or typical)


@dataclass(kw_only=True, slots=True)
class Budget:
    """Expected error per element, and the limits that follow from it."""

    shape: tuple[int, int, int]
    scale: Scale
    roundoff: float
    bins: torch.Tensor
    """Root-mean-square noise per bin of magnitude, over max(|reference|, typical)."""
    groups: dict[str, torch.Tensor]
    """Per partition and group: how much above its bins the noise is (at least 1)."""
    independent: dict[str, float]
    """Per partition: independent errors in one group."""
    samples: int
    excused: torch.Tensor | None
    """Elements where a right computation may overflow, or None."""
    tails: dict[str, float] = field(default_factory=dict)
    """How far a noisy run that took no part in this budget went beyond the limits of the
    noise's own statistics: per partition, and `element`."""

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the estimated noise."""
        return max(1.0, self.samples * self.independent["whole"])

    def expected(self, reference: torch.Tensor, where: Slices) -> torch.Tensor:
        """Return the expected error of a block of the reference (f64)."""
        excess = torch.ones((), dtype=torch.float64)
        for name, groups in self.groups.items():
            excess = torch.maximum(excess, expand_groups(name, groups, where))
        noise = self.bins[bin_of(reference, self.scale)] * excess
        noise *= magnitude_of(reference, self.scale)
        return (noise.square() + (_FLOOR * self.scale.typical) ** 2).sqrt()

    def _tail(self, name: str) -> float:
        return min(_LONGEST_TAIL, max(1.0, self.tails.get(name, 1.0)))

    def element_limit(self, factor: float) -> float:
        """Return how many expected errors one element may be off."""
        factor *= self._tail("element")
        tries = min(math.prod(self.shape), max(1.0, self.independent["whole"]))
        return factor * quantiles.student(FALSE_ALARM / (2 * tries), self.freedom)

    def group_limits(self, factor: float) -> dict[str, float]:
        """Return, per partition, the largest root mean square of error over expected."""
        limits = {}
        for name, size in partitions_of(self.shape).items():
            quantile = quantiles.variance_ratio(
                FALSE_ALARM / math.prod(size), max(1.0, self.independent[name]), self.freedom
            )
            limits[name] = factor * self._tail(name) * math.sqrt(max(1.0, quantile))
        return limits


def magnitude_of(reference: torch.Tensor, scale: Scale) -> torch.Tensor:
    """Return what errors are counted in: the element's magnitude, with a floor."""
    return reference.abs().clamp_min(scale.typical * 4.0**_FIRST_BIN or 1.0)


def bin_of(reference: torch.Tensor, scale: Scale) -> torch.Tensor:
    """Return each element's bin of magnitude."""
    if scale.typical == 0.0:
        return torch.zeros(reference.shape, dtype=torch.int64)
    ratio = magnitude_of(reference, scale).div_(scale.typical)
    steps = ratio.log2_().div_(2).sub_(_FIRST_BIN).nan_to_num_(0.0)
    return steps.clamp_(0, _BINS - 1).long()


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
            self._squares[where] += (error / magnitude_of(block, self.scale)).square().float()
            # how errors hang together is a matter of the bulk, not of the smallest elements
            error = error / block.abs().clamp_min(self.scale.typical or 1.0)
            squares.add(where, error.square())
            sums.add(where, error)
            signed.add(where, error * block.sign())
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
        finite = torch.isfinite(error)
        overflown = torch.isfinite(clean) & ~torch.isfinite(noisy)
        if bool(overflown.any()):
            if self.excused is None:
                self.excused = torch.zeros(self.shape, dtype=torch.bool)
            self.excused[where] |= overflown
        return torch.where(finite, error, 0.0)

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
        they get what the others of their bin have.
        """
        sums = torch.zeros(_BINS, dtype=torch.float64)
        counts = torch.zeros(_BINS, dtype=torch.float64)
        clean = self.reference.reshape(self.shape)
        for where in iterate_blocks(self.shape):
            index = bin_of(clean[where].double(), self.scale).flatten()
            squares = self._squares[where].double().flatten()
            sums += torch.bincount(index, squares, _BINS)
            counts += torch.bincount(index, (squares > 0).double(), _BINS)
        return _blended(sums, counts * max(1, self.samples))

    def _groups(self, bins: torch.Tensor) -> dict[str, torch.Tensor]:
        """How far each group's noise is above what its elements' bins say."""
        sums, counts = GroupSums(shape=self.shape), GroupSums(shape=self.shape)
        clean = self.reference.reshape(self.shape)
        for where in iterate_blocks(self.shape):
            squares = self._squares[where].double()
            expected = bins[bin_of(clean[where].double(), self.scale)].square()
            sums.add(where, torch.where(squares > 0, squares / expected, 0.0))
            counts.add(where, (squares > 0).double())
        excess = {}
        for name, group in sums.sums.items():
            samples = counts.sums[name] * max(1, self.samples)
            excess[name] = ((group + _PRIOR) / (samples + _PRIOR)).sqrt().clamp_min(1.0)
        return excess


def _blended(sums: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Root mean squares of bins, sparse ones blended with the next on the side of the fullest.

    Towards larger magnitudes the relative error is taken to stay, towards smaller ones the
    absolute error; and the lowest bin, where the zeros are, has at least that of the next.
    """
    squares = torch.zeros(_BINS, dtype=torch.float64)
    fullest = int(counts.argmax())
    squares[fullest] = sums[fullest] / counts[fullest].clamp_min(1.0)
    for index in range(fullest + 1, _BINS):
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
    return squares.sqrt()
