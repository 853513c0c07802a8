"""The columns that tables of records have, in whichever format they are written.

Flows in: a record. Flows out: for each column a raw value (for CSV) and a text (for people).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bellrock.bench.record import Outcome, Record
from bellrock.report import units

Raw = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column."""

    name: str
    """Machine-readable; unit at its end."""
    header: str
    value: Callable[[Record], Raw]
    text: Callable[[Record], str]
    numeric: bool = True
    detail: bool = False
    """Whether it is left out where space is short (the terminal)."""


def baselines_of(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the names of all baselines, in the order in which they first appear."""
    return tuple(dict.fromkeys(name for record in records for name in record.baselines))


def columns(records: Sequence[Record]) -> tuple[Column, ...]:
    """Return the columns that suit these records; what none of them has is left out."""
    found = [*_WHAT, *_RIGHT]
    if any(r.time for r in records):
        found += _FAST + _PREPARED
        for name in baselines_of(records):
            found += _against(name)
        found += _LIMITS
    return tuple(c for c in (*found, *_MADE) if any(c.text(r) for r in records))


def problem_label(record: Record) -> str:
    """Return the problem's name, with overrides where there are any."""
    return record.problem.name


def speedup_text(record: Record, baseline: str) -> str:
    """Return the speed-up, or `~1` where it is inside the noise."""
    found = record.speedup.get(baseline)
    if found is None:
        info = record.baselines.get(baseline)
        return "failed" if info is not None and info.failure is not None else ""
    text = units.ratio(found.ratio)
    return f"~ {text}" if found.outcome is Outcome.SAME else text


def kernels_text(record: Record) -> str:
    """Return how many kernels there are and how many stayed scalar or serial."""
    if not record.kernels:
        return ""
    vectorised = sum(k.vectorised for k in record.kernels)
    parallel = sum(k.parallel for k in record.kernels)
    return f"{len(record.kernels)} ({vectorised}v {parallel}p)"


def launches_of(record: Record) -> int | None:
    """Return how often the kernels of a call are launched, on a device that launches."""
    return sum(k.figures.get("launches", 0) * k.calls for k in record.kernels) or None


def engines_of(record: Record) -> int | None:
    """Return how many kernels use matrix engines."""
    return sum(bool(k.figures.get("matrix_calls")) for k in record.kernels) or None


def error_text(record: Record) -> str:
    """Return the error as a share of its budget."""
    error = record.error
    if error is None:
        return ""
    return f"{units.error(error.value)} / {units.error(error.budget)}"


def _column(
    name: str, header: str, value: Callable[[Record], Raw],
    text: Callable[[Record], str] | None = None, *, numeric: bool = True, detail: bool = False,
) -> Column:  # fmt: skip
    def plain(record: Record) -> str:
        raw = value(record)
        return "" if raw is None else str(raw)

    return Column(
        name=name, header=header, value=value, text=text or plain, numeric=numeric, detail=detail
    )


def _achieved(record: Record) -> float | None:
    return record.roofline.achieved_flops_per_s if record.roofline else None


_WHAT = (
    _column("problem", "problem", lambda r: r.problem.name, numeric=False),
    _column("target", "target", lambda r: r.target.name, numeric=False, detail=True),
    _column("dtype", "dtype", lambda r: r.dtype, numeric=False, detail=True),
    _column("status", "status", lambda r: r.status.value, numeric=False),
)
_RIGHT = (
    _column("error", "error / budget", lambda r: r.error.value if r.error else None, error_text),
    _column(
        "budget", "budget", lambda r: r.error.budget if r.error else None,
        lambda r: units.error(r.error.budget if r.error else None), detail=True,
    ),
)  # fmt: skip
_FAST = (
    _column(
        "time_s", "time", lambda r: r.time.median_s if r.time else None,
        lambda r: units.seconds(r.time.median_s if r.time else None),
    ),
)  # fmt: skip
_PREPARED = (
    _column(
        "prepare_s", "prepare", lambda r: r.preparation.seconds if r.preparation else None,
        lambda r: units.seconds(r.preparation.seconds if r.preparation else None), detail=True,
    ),
    _column(
        "prepared_bytes", "prepared", lambda r: r.preparation.bytes if r.preparation else None,
        lambda r: units.size(r.preparation.bytes if r.preparation else None), detail=True,
    ),
)  # fmt: skip
_LIMITS = (
    _column(
        "achieved_flops_per_s", "rate", _achieved, lambda r: units.rate(_achieved(r)), detail=True
    ),
    _column(
        "peak_fraction", "of limit",
        lambda r: r.roofline.peak_fraction if r.roofline else None,
        lambda r: units.percent(r.roofline.peak_fraction if r.roofline else None),
    ),
)  # fmt: skip
_MADE = (
    _column(
        "compile_s", "compile", lambda r: r.compile_seconds,
        lambda r: units.seconds(r.compile_seconds) + (" c" if r.cached else ""),
    ),
    _column("kernels", "kernels", lambda r: len(r.kernels) or None, kernels_text),
    _column("launches", "launches", launches_of),
    _column("on_matrix_engines", "on matrix engines", engines_of, detail=True),
    _column("cached", "cached", lambda r: r.cached, numeric=False, detail=True),
    _column(
        "peak_memory_bytes", "memory", lambda r: r.peak_memory_bytes,
        lambda r: units.size(r.peak_memory_bytes), detail=True,
    ),
    _column(
        "ours_bytes", "ours alive", lambda r: r.memory.ours_bytes if r.memory else None,
        lambda r: units.size(r.memory.ours_bytes if r.memory else None), detail=True,
    ),
    _column(
        "eager_bytes", "eager alive", lambda r: r.memory.eager_bytes if r.memory else None,
        lambda r: units.size(r.memory.eager_bytes if r.memory else None), detail=True,
    ),
    _column(
        "overrides", "overrides",
        lambda r: json.dumps(r.problem.overrides, sort_keys=True) if r.problem.overrides else None,
        numeric=False, detail=True,
    ),
    _column("warnings", "warnings", lambda r: len(all_warnings(r)) or None),
    _column(
        "failure", "failure", lambda r: r.failure.message if r.failure else None,
        numeric=False, detail=True,
    ),
)  # fmt: skip


def _against(name: str) -> tuple[Column, ...]:
    def time(record: Record) -> float | None:
        info = record.baselines.get(name)
        return info.time.median_s if info and info.time else None

    def compile_seconds(record: Record) -> float | None:
        info = record.baselines.get(name)
        return info.compile_seconds if info else None

    def speedup(record: Record) -> float | None:
        return record.speedup[name].ratio if name in record.speedup else None

    def outcome(record: Record) -> str | None:
        return record.speedup[name].outcome.value if name in record.speedup else None

    return (
        _column(f"{name}_time_s", name, time, lambda r: units.seconds(time(r))),
        _column(f"{name}_speedup", f"x {name}", speedup, lambda r: speedup_text(r, name)),
        _column(f"{name}_outcome", "outcome", outcome, numeric=False, detail=True),
        _column(
            f"{name}_compile_s", f"{name} compile", compile_seconds,
            lambda r: units.seconds(compile_seconds(r)), detail=True,
        ),
    )  # fmt: skip


def all_warnings(record: Record) -> tuple[str, ...]:
    """Return what a record says against itself, wherever it says so."""
    own = tuple(f"time: {w}" for w in record.time.warnings) if record.time else ()
    theirs = tuple(
        f"{name}: {w}"
        for name, info in record.baselines.items()
        if info.time is not None
        for w in info.time.warnings
    )
    fooled = record.verdict.accepted_mutants if record.verdict else ()
    checker = tuple(f"the checker accepted the wrong answer {name!r}" for name in fooled)
    return (*checker, *record.warnings, *own, *theirs)
