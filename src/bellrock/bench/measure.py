"""Interleaved measurement of programs in one process.

Flows in: named callables and a plan. Flows out: seconds per call, one value for each
program and round. In a round each program runs once, in an order shuffled anew (from a
fixed seed), so that drift of the machine falls on all of them alike.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from bellrock.errors import BenchError

Call = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How long and how to measure."""

    mode: Literal["hot", "cold"] = "hot"
    """`hot`: the same buffers again; `cold`: caches are flushed before each run."""
    min_runs: int = 15
    """Rounds wanted at least."""
    max_runs: int = 400
    target_seconds: float = 2.0
    """Measure at least this long, all programs together, if `max_runs` allow."""
    limit_seconds: float = 60.0
    """Stop here even below `min_runs` (never below two rounds), with a warning."""
    min_sample_seconds: float = 1e-3
    """A run of shorter calls is stretched to this by repeating the call."""
    max_repetitions: int = 10_000
    warmup_runs: int = 2
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Times of one program."""

    seconds: tuple[float, ...]
    """Per call; index is the round."""
    repetitions: int
    """Calls in each round."""
    warnings: tuple[str, ...]


def measure(
    programs: Mapping[str, Call],
    plan: Plan,
    *,
    flush: Callable[[], None] | None = None,
    clock: Clock = time.perf_counter,
    own: Mapping[str, Clock] | None = None,
) -> dict[str, Samples]:
    """Time the programs against each other.

    Args:
        programs: by name; each is called without arguments, its result is dropped.
        plan: how long and how.
        flush: evicts the caches, outside the time taken; needed in cold mode.
        clock: seconds, monotonic.
        own: of programs that run on a device with a clock of its own: returns how long the last
            call took.

    Returns:
        samples by the same names, all of the same number of rounds.

    Raises:
        BenchError: there is nothing to measure, or cold mode has no `flush`.
    """
    if not programs:
        raise BenchError("there is no program to measure")
    if plan.mode == "cold" and flush is None:
        raise BenchError("cold mode needs a way to flush the caches")
    started = clock()
    own = own or {}
    repetitions = {
        name: _calibrate(call, plan, clock, own.get(name)) for name, call in programs.items()
    }
    samples: dict[str, list[float]] = {name: [] for name in programs}
    order, shuffler = list(programs), random.Random(plan.seed)
    measured_from = clock()
    with _no_collection():
        while not _enough(len(samples[order[0]]), clock() - measured_from, clock() - started, plan):
            shuffler.shuffle(order)
            for name in order:
                if plan.mode == "cold" and flush is not None:
                    flush()
                seconds = _sample(programs[name], repetitions[name], clock, own.get(name))
                samples[name].append(seconds / repetitions[name])
    return {
        name: Samples(
            seconds=tuple(values),
            repetitions=repetitions[name],
            warnings=_distrust(values, repetitions[name], plan),
        )
        for name, values in samples.items()
    }


def _sample(call: Call, repetitions: int, clock: Clock, own: Clock | None) -> float:
    if own is not None:
        seconds = 0.0
        for _ in range(repetitions):
            call()
            seconds += own()
        return seconds
    begin = clock()
    for _ in range(repetitions):
        call()
    return clock() - begin


def _calibrate(call: Call, plan: Plan, clock: Clock, own: Clock | None) -> int:
    """Warm up, and return how many calls make a run of at least the wanted length."""
    seconds = _sample(call, 1, clock, own)
    for _ in range(plan.warmup_runs - 1):
        # A slow call is warm after one: more would eat the budget of the rounds.
        if seconds > plan.limit_seconds / (4 * plan.min_runs):
            break
        seconds = _sample(call, 1, clock, own)
    if plan.mode == "cold":
        return 1
    repetitions = 1
    while seconds < plan.min_sample_seconds and repetitions < plan.max_repetitions:
        # A fifth on top, because the calls get faster once caches and branches are warm.
        wanted = 1.2 * plan.min_sample_seconds * repetitions / max(seconds, 1e-9)
        repetitions = min(max(repetitions * 2, int(wanted) + 1), plan.max_repetitions)
        seconds = _sample(call, repetitions, clock, own)
    return repetitions


def _enough(rounds: int, measured_seconds: float, total_seconds: float, plan: Plan) -> bool:
    if rounds < 2:
        return False
    if rounds >= plan.max_runs or total_seconds >= plan.limit_seconds:
        return True
    return rounds >= plan.min_runs and measured_seconds >= plan.target_seconds


def _distrust(values: list[float], repetitions: int, plan: Plan) -> tuple[str, ...]:
    warnings: list[str] = []
    if len(values) < plan.min_runs:
        warnings.append(f"too few runs: {len(values)} of {plan.min_runs} within the time limit")
    typical = sorted(values)[len(values) // 2] * repetitions
    if typical < plan.min_sample_seconds / 2:
        warnings.append(
            f"too short: a run takes {typical * 1e6:.3g} us, "
            f"under {plan.min_sample_seconds * 1e6:.3g} us"
        )
    return tuple(warnings)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector out of the times."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def cache_flusher(cache_bytes: int) -> Callable[[], None]:
    """Return a function that evicts the caches by walking a buffer of four times their size."""
    import numpy as np

    buffer = np.zeros(max(4 * cache_bytes, 64 << 20) // 8, dtype=np.float64)

    def flush() -> None:
        np.add(buffer, 1.0, out=buffer)

    return flush
