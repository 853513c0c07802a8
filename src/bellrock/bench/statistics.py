"""Numbers about times: medians, intervals, ratios, and whether a difference is one.

Flows in: seconds per call, one array per program, paired by round. Flows out: the
record's `TimeInfo` and `SpeedupInfo`. Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellrock.bench.record import Outcome, SpeedupInfo, TimeInfo

RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 20240229
"""Intervals of the same samples are the same numbers, whenever they are computed."""
MAX_SPREAD = 0.25
"""(p95 - p05) / median above which a distribution is said to be wide."""


def _bootstrap(samples: Sequence[NDArray[np.float64]], *, ratio: bool) -> tuple[float, float]:
    from scipy.stats import bootstrap

    def statistic(*parts: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
        medians = [np.median(np.asarray(p), axis=axis) for p in parts]
        return medians[0] / medians[1] if ratio else medians[0]

    result = bootstrap(
        tuple(samples), statistic, n_resamples=RESAMPLES, paired=True, vectorized=True,
        confidence_level=CONFIDENCE, method="percentile", rng=np.random.default_rng(SEED),
    )  # fmt: skip
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def median_interval(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median (a point where there is one sample)."""
    values = np.asarray(seconds, dtype=np.float64)
    if len(values) < 2:
        return float(values[0]), float(values[0])
    return _bootstrap([values], ratio=False)


def summarise(
    seconds: Sequence[float],
    *,
    repetitions: int,
    mode: Literal["hot", "cold"],
    warnings: Sequence[str] = (),
) -> TimeInfo:
    """Describe the times of one program.

    Args:
        seconds: per call, one for each round; at least one.
        repetitions: calls in each round.
        mode: which buffers were used.
        warnings: what the measurement itself has to say.
    """
    p05, median, p95 = (float(q) for q in np.quantile(seconds, [0.05, 0.5, 0.95]))
    own = list(warnings)
    if len(seconds) >= 2 and (p95 - p05) > MAX_SPREAD * median:
        own.append(f"wide spread: p05 to p95 is {(p95 - p05) / median:.0%} of the median")
    return TimeInfo(
        median_s=median, p05_s=p05, p95_s=p95, ci95_s=median_interval(seconds),
        runs=len(seconds), repetitions=repetitions, mode=mode, warnings=tuple(own),
    )  # fmt: skip


def ratio_interval(
    numerator: Sequence[float], denominator: Sequence[float]
) -> tuple[float, float, float]:
    """Return the ratio of medians and its 95 % bootstrap interval, paired by round."""
    a = np.asarray(numerator, dtype=np.float64)
    b = np.asarray(denominator, dtype=np.float64)
    ratio = float(np.median(a) / np.median(b))
    if len(a) < 2:
        return ratio, 0.0, float("inf")
    return ratio, *_bootstrap([a, b], ratio=True)


def noise_floor(once: Sequence[float], again: Sequence[float]) -> float:
    """Return the largest relative difference that is not one.

    Args:
        once: a program's times.
        again: the same program's times, taken in the same rounds.

    Returns:
        the farther end of the interval of their ratio, as a distance from one.
    """
    _, low, high = ratio_interval(once, again)
    return max(high - 1.0, 1.0 - low, 0.0)


def outcome_of(ratio: float, low: float, high: float, *, noise: float) -> Outcome:
    """Judge a ratio: it counts if it exceeds the noise and its interval leaves one out."""
    if low > 1.0 and ratio > 1.0 + noise:
        return Outcome.FASTER
    if high < 1.0 and 1.0 / ratio > 1.0 + noise:
        return Outcome.SLOWER
    return Outcome.SAME


def speedup(baseline: Sequence[float], ours: Sequence[float], *, noise: float) -> SpeedupInfo:
    """Compare two programs timed in the same rounds.

    Args:
        baseline: its seconds per call.
        ours: our seconds per call.
        noise: see `noise_floor`.
    """
    ratio, low, high = ratio_interval(baseline, ours)
    outcome = outcome_of(ratio, low, high, noise=noise)
    return SpeedupInfo(ratio=ratio, ci95=(low, high), outcome=outcome)
