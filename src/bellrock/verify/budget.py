"""The error budget of one output: what rounding makes of it, element by element.

Flows in: statistics of rounding noise (`sampling`). Flows out: the expected error of each
element, and the limits that follow for single elements and for groups of them. See
docs/verification.md, "Budgets".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from bellrock.verify import quantiles
from bellrock.verify.blocks import Slices, expand_groups, partitions_of
from bellrock.verify.scale import Scale, bin_of

FALSE_ALARM = 1e-6
"""Probability of rejecting a right answer, per test, if errors are as the noise's."""
_FLOOR = 4 * 2.0**-24
"""Roundoffs of f32 that any element may lose, of the output's typical magnitude."""
_LONGEST_TAIL = 8.0
"""How much the limits are raised at most where noise is uneven in ways that the partitions do
not show; what lies further out is counted (see `Expectation.jumps`)."""


@dataclass(kw_only=True, slots=True)
class Budget:
    """Expected error per element, and the limits that follow from it."""

    shape: tuple[int, int, int]
    scale: Scale
    roundoff: float
    bins: torch.Tensor
    """Root-mean-square noise per bin, over the element's magnitude (f32)."""
    groups: dict[str, torch.Tensor]
    """Per partition and group: how much above its bins the noise is; if it is anywhere."""
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
        """Return the expected error of a block of the reference, in units of the scale (f32)."""
        magnitude = self.scale.magnitude(reference)
        noise = self.bins[bin_of(magnitude, reference)].mul_(magnitude)
        excess: torch.Tensor | None = None
        for name, groups in self.groups.items():
            above = expand_groups(name, groups, where)
            excess = above if excess is None else torch.maximum(excess, above)
        if excess is not None:
            noise *= excess
        floor = _FLOOR if self.scale.typical > 0 else 0.0
        return noise.square_().add_(floor * floor).sqrt_()

    @property
    def typical_error(self) -> float:
        """Expected error of an element of typical magnitude, in the output's own unit."""
        typical = torch.full((1, 1, 1), self.scale.typical, dtype=torch.float64)
        expected = self.expected(typical, (slice(0, 1), slice(0, 1), slice(0, 1)))
        return float(expected.flatten()[0]) * self.scale.unit

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
