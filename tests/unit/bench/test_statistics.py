"""Differences that are there are found, and those that are not are reported as none."""

from __future__ import annotations

import numpy as np
import pytest

from bellrock.bench.record import Outcome
from bellrock.bench.statistics import (
    median_interval,
    noise_floor,
    outcome_of,
    ratio_interval,
    speedup,
    summarise,
)

QUIET = 0.0


def _times(median: float, *, spread: float = 0.02, runs: int = 40, seed: int = 0) -> list[float]:
    return list(median * np.random.default_rng(seed).lognormal(0.0, spread, runs))


def test_quantiles_of_known_numbers() -> None:
    info = summarise([float(i) for i in range(1, 102)], repetitions=3, mode="hot")
    assert (info.p05_s, info.median_s, info.p95_s) == pytest.approx((6.0, 51.0, 96.0))
    assert (info.runs, info.repetitions) == (101, 3)


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(100):
        low, high = median_interval(_times(1.0, spread=0.1, runs=30, seed=seed))
        covered += low <= 1.0 <= high
    assert 88 <= covered <= 100


def test_an_interval_is_the_same_whenever_it_is_computed() -> None:
    assert median_interval(_times(1.0)) == median_interval(_times(1.0))


def test_a_wide_spread_is_said() -> None:
    assert any("spread" in w for w in summarise([1, 1, 1, 2], repetitions=1, mode="hot").warnings)
    assert summarise([1, 1, 1, 1.01], repetitions=1, mode="hot").warnings == ()


def test_pairing_by_round_takes_drift_out() -> None:
    """Both double over the run: unpaired, the interval would be about as wide as the drift."""
    drift = np.linspace(1.0, 2.0, 60)
    a, b = 1.2 * drift * _times(1.0, spread=0.005, runs=60), drift
    ratio, low, high = ratio_interval(list(a), list(b))
    assert ratio == pytest.approx(1.2, rel=0.02)
    assert high - low < 0.1


@pytest.mark.parametrize(
    ("baseline", "ours", "outcome"),
    [(2.0, 1.0, Outcome.FASTER), (1.0, 2.0, Outcome.SLOWER), (1.0, 1.0, Outcome.SAME)],
)
def test_clear_cases(baseline: float, ours: float, outcome: Outcome) -> None:
    found = speedup(_times(baseline, seed=1), _times(ours, seed=2), noise=0.02)
    assert found.outcome is outcome
    assert found.ratio == pytest.approx(baseline / ours, rel=0.05)
    assert found.ci95[0] <= found.ratio <= found.ci95[1]


def test_a_speed_up_inside_the_noise_is_none() -> None:
    """The interval leaves one out, but the machine shows as much with equal programs."""
    a, b = _times(1.05, spread=0.001, seed=1), _times(1.0, spread=0.001, seed=2)
    assert speedup(a, b, noise=0.01).outcome is Outcome.FASTER
    assert speedup(a, b, noise=0.10).outcome is Outcome.SAME
    assert speedup(b, a, noise=0.10).outcome is Outcome.SAME


def test_an_interval_that_holds_one_is_none() -> None:
    assert outcome_of(1.3, 0.9, 1.7, noise=QUIET) is Outcome.SAME
    assert outcome_of(0.8, 0.6, 1.1, noise=QUIET) is Outcome.SAME


def test_one_round_tells_nothing() -> None:
    assert speedup([2.0], [1.0], noise=QUIET).outcome is Outcome.SAME


def test_noise_floor() -> None:
    quiet = noise_floor(_times(1.0, spread=0.001), _times(1.0, spread=0.001, seed=9))
    loud = noise_floor(_times(1.0, spread=0.3), _times(1.0, spread=0.3, seed=9))
    assert 0 <= quiet < 0.01 < loud
    assert noise_floor([1.0] * 10, [1.2] * 10) == pytest.approx(1 - 1 / 1.2)
