"""What a set of records says as a whole.

Flows in: records. Flows out: counts by status, and for each baseline the geometric mean of
the speed-ups with its interval over problems.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bellrock.bench.record import Outcome, Record, Status
from bellrock.report.columns import baselines_of

SEED = 20240229


@dataclass(frozen=True, kw_only=True, slots=True)
class Against:
    """All problems against one baseline."""

    baseline: str
    problems: int
    geomean: float
    ci95: tuple[float, float]
    """Over problems: how far the mean would move had others of their kind been chosen."""
    faster: int
    slower: int
    same: int
    failed: int
    """Problems that the baseline could not run."""
    ours_compile_median_s: float | None
    compile_median_s: float | None
    """Over the problems that neither had in a cache and both compiled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The whole set."""

    total: int
    counts: dict[Status, int]
    """Of those that occur, in the order of `Status`."""
    against: tuple[Against, ...]
    warnings: int
    """Problems whose record carries one."""


def summarise(records: Sequence[Record]) -> Summary:
    """Sum records up."""
    counted = Counter(record.status for record in records)
    return Summary(
        total=len(records),
        counts={status: counted[status] for status in Status if counted[status]},
        against=tuple(
            found for name in baselines_of(records) if (found := _against(records, name))
        ),
        warnings=sum(bool(r.warnings) or bool(r.time and r.time.warnings) for r in records),
    )


def geomean(ratios: Sequence[float]) -> tuple[float, float, float]:
    """Return the geometric mean and its 95 % bootstrap interval.

    Args:
        ratios: positive; at least one.
    """
    logs = [math.log(r) for r in ratios]
    mean = math.exp(statistics.fmean(logs))
    if len(logs) < 2:
        return mean, mean, mean
    import numpy as np
    from scipy.stats import bootstrap

    interval = bootstrap(
        (np.asarray(logs),), np.mean, method="percentile", n_resamples=2000, vectorized=True,
        rng=np.random.default_rng(SEED),
    ).confidence_interval  # fmt: skip
    return mean, math.exp(float(interval.low)), math.exp(float(interval.high))


def _against(records: Sequence[Record], name: str) -> Against | None:
    measured = [r.speedup[name] for r in records if name in r.speedup and r.status is Status.OK]
    failed = sum(name in r.baselines and r.baselines[name].failure is not None for r in records)
    if not measured:
        return None
    mean, low, high = geomean([m.ratio for m in measured])
    outcomes = Counter(m.outcome for m in measured)
    ours, theirs = compile_pairs(records, name)
    return Against(
        baseline=name, problems=len(measured), geomean=mean, ci95=(low, high),
        faster=outcomes[Outcome.FASTER], slower=outcomes[Outcome.SLOWER],
        same=outcomes[Outcome.SAME], failed=failed,
        ours_compile_median_s=statistics.median(ours) if ours else None,
        compile_median_s=statistics.median(theirs) if theirs else None,
    )  # fmt: skip


def compile_pairs(records: Sequence[Record], name: str) -> tuple[list[float], list[float]]:
    """Return cold compile seconds, ours and the baseline's, of problems that have both."""
    pairs = [
        (r.compile_seconds, info.compile_seconds)
        for r in records
        if (info := r.baselines.get(name)) is not None
        and r.compile_seconds is not None and not r.cached and info.compile_seconds
    ]  # fmt: skip
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def verdict_line(summary: Summary) -> str:
    """Return the counts in words, e.g. `3 of 4 ok, 1 timeout`."""
    good = summary.counts.get(Status.OK, 0)
    rest = [f"{n} {status}" for status, n in summary.counts.items() if status is not Status.OK]
    return ", ".join([f"{good} of {summary.total} ok", *rest])
