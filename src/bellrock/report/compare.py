"""Two sets of records side by side, with significance.

Flows in: records before and after. Flows out: for each problem that both have, how many
times as fast it became, an interval, and whether that is a difference.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bellrock.bench.record import Outcome, Record, Status, TimeInfo
from bellrock.bench.statistics import outcome_of
from bellrock.report.summary import geomean

NORMAL_95 = 1.959964
"""Half-width of the 95 % interval of a normal distribution, in standard deviations."""
LEAST_NOISE = 0.02
"""Between two runs at least so much is noise: placement of buffers alone makes as much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One problem, before and after."""

    name: str
    before: Record
    after: Record
    ratio: float | None
    """Time before over time after; above one, it became faster."""
    ci95: tuple[float, float] | None
    outcome: Outcome | None
    notes: tuple[str, ...]

    @property
    def broke(self) -> bool:
        """Whether it was ok and is not."""
        return self.before.status is Status.OK and self.after.status is not Status.OK

    def surely_below(self, ratio: float) -> bool:
        """Return whether the whole interval lies below a ratio."""
        return self.ci95 is not None and self.ci95[1] < ratio


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All problems of two sets."""

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    geomean: tuple[float, float, float] | None
    """Of the ratios, with its interval over problems."""


def compare(before: Sequence[Record], after: Sequence[Record]) -> Comparison:
    """Match records by problem, overrides, target and dtype, and compare their times."""
    old = {_key(r): r for r in before}
    new = {_key(r): r for r in after}
    changes = tuple(_change(old[key], new[key]) for key in old if key in new)
    ratios = [c.ratio for c in changes if c.ratio is not None]
    return Comparison(
        changes=changes,
        only_before=tuple(r.problem.name for k, r in old.items() if k not in new),
        only_after=tuple(r.problem.name for k, r in new.items() if k not in old),
        geomean=geomean(ratios) if ratios else None,
    )


def _key(record: Record) -> tuple[str, str, str, str]:
    overrides = json.dumps(record.problem.overrides, sort_keys=True)
    return record.problem.name, overrides, record.target.name, record.dtype


def _change(before: Record, after: Record) -> Change:
    notes = _notes(before, after)
    right = before.status is Status.OK and after.status is Status.OK
    if not right or before.time is None or after.time is None:
        return Change(
            name=before.problem.name, before=before, after=after, ratio=None, ci95=None,
            outcome=None, notes=notes,
        )  # fmt: skip
    ratio, low, high = independent_ratio(before.time, after.time)
    drift = machine_drift(before, after)
    noise = max(before.noise_floor or 0.0, after.noise_floor or 0.0, LEAST_NOISE, drift)
    if drift > LEAST_NOISE:
        notes = (*notes, f"baselines themselves moved by {drift:.0%}")
    return Change(
        name=before.problem.name, before=before, after=after, ratio=ratio, ci95=(low, high),
        outcome=outcome_of(ratio, low, high, noise=noise), notes=notes,
    )  # fmt: skip


def independent_ratio(before: TimeInfo, after: TimeInfo) -> tuple[float, float, float]:
    """Return the ratio of two medians and its 95 % interval, from their own intervals.

    The two were not measured together, so errors add: in logarithms, as independent
    normal ones whose widths are those of the bootstrap intervals.
    """
    variance = 0.0
    for time in (before, after):
        low, high = time.ci95_s
        if low > 0:
            variance += (math.log(high / low) / (2 * NORMAL_95)) ** 2
    ratio = before.median_s / after.median_s
    width = NORMAL_95 * math.sqrt(variance)
    return ratio, ratio * math.exp(-width), ratio * math.exp(width)


def machine_drift(before: Record, after: Record) -> float:
    """Return how much the baselines, whose code is the same, differ between the runs.

    Returns:
        the smallest relative difference among the baselines that both runs have; 0 if none.
    """
    moved = []
    for name, old in before.baselines.items():
        new = after.baselines.get(name)
        if old.time is not None and new is not None and new.time is not None:
            moved.append(abs(math.log(old.time.median_s / new.time.median_s)))
    return math.exp(min(moved)) - 1.0 if moved else 0.0


def _notes(before: Record, after: Record) -> tuple[str, ...]:
    notes = []
    if before.status != after.status:
        notes.append(f"{before.status} -> {after.status}")
    if before.problem.sha256 != after.problem.sha256:
        notes.append("the problem file differs")
    if before.threads != after.threads:
        notes.append(f"threads {before.threads} -> {after.threads}")
    old, new = before.machine, after.machine
    if old and new and (old.cpu, old.host_hash) != (new.cpu, new.host_hash):
        notes.append("another machine")
    if before.time and after.time and before.time.mode != after.time.mode:
        notes.append(f"mode {before.time.mode} -> {after.time.mode}")
    return tuple(notes)
