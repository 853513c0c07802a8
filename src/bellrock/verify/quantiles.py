"""Upper quantiles, by special functions alone: `scipy.stats` takes long to import.

Flows in: a small probability. Flows out: the value that a right answer exceeds that seldom.
"""

from __future__ import annotations

import math

from scipy import special


def student(probability: float, freedom: float) -> float:
    """Return the upper quantile of Student's t."""
    return -float(special.stdtrit(freedom, probability))


def variance_ratio(probability: float, above: float, below: float) -> float:
    """Return the upper quantile of F, with its degrees of freedom above and below."""
    x = float(special.betaincinv(below / 2, above / 2, probability))
    return below * (1.0 - x) / (above * x) if x > 0 else math.inf


def small_mean_square(probability: float, count: float) -> float:
    """Return the mean square of `count` standard normal errors that is not reached that often."""
    return 2.0 / count * float(special.gammaincinv(count / 2, probability))


def poisson(probability: float, mean: float) -> int:
    """Return the least count that is exceeded with at most this probability."""
    if mean <= 0:
        return 0
    count = max(0, int(special.pdtrik(1.0 - probability, mean)) - 1)
    while special.pdtrc(count, mean) > probability:
        count += 1
    return count
