"""Ours against the baselines: from callables to what the record says of speed.

Flows in: programs that compute the same, the work they do, the device's facts. Flows out:
times, speed-ups, the noise floor, the place under the roofline, and doubts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bellrock.bench.machine import OtherLoad
from bellrock.bench.measure import Clock, Plan, cache_flusher, measure
from bellrock.bench.record import RooflineInfo, SpeedupInfo, TimeInfo
from bellrock.bench.request import Request
from bellrock.bench.roofline import Work, implausible, is_compute_bound, place
from bellrock.bench.statistics import noise_floor, speedup, summarise
from bellrock.target.base import Facts, PeakProgram

OURS = "ours"
AGAIN = "again"
"""The program that is measured a second time, for the noise floor; no baseline has the name."""
PEAK = "peak"
"""The device's fastest operations; no baseline has the name."""
NOISY = 0.1
CROWDED = 0.1
SHARE_OF_TIME_LIMIT = 0.25
"""Of a problem's time limit, for timing."""


class Device(Protocol):
    """What may have a clock and caches of its own, once it has been called."""

    def device_seconds(self) -> float | None:
        """Return the last call's time by the device's own clock; None if it is the host."""
        ...

    def flush_caches(self, cache_bytes: int) -> None:
        """Evict the device's caches, where they are not the host's."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """What was found."""

    times: Mapping[str, TimeInfo]
    speedup: Mapping[str, SpeedupInfo]
    noise_floor: float
    roofline: RooflineInfo | None
    implausible: str | None
    """Why the time of ours cannot be, if it cannot."""
    warnings: tuple[str, ...]


def time_programs(
    programs: Mapping[str, Callable[[], object]],
    request: Request,
    *,
    work: Work,
    facts: Facts,
    clock: Clock = time.perf_counter,
    device: Device | None = None,
    peak_program: Callable[[str], PeakProgram | None] | None = None,
) -> Timing:
    """Measure and judge.

    Args:
        programs: `ours`, then the baselines by name.
        request: mode, runs, limits.
        work: of one call.
        facts: of the device.
        clock: seconds, monotonic.
        device: what ours runs on, if it has a clock and caches of its own.
        peak_program: of the device, by dtype; where operations are the limit it runs in each round
            too, so that the share of the peak is of the clock that all had.
    """
    plan = Plan(
        mode=request.mode,
        min_runs=request.min_runs,
        limit_seconds=SHARE_OF_TIME_LIMIT * request.time_limit_seconds,
        seed=request.seed,
    )
    # The first baseline's code is the same in every run, so its noise is the machine's.
    twice = next((name for name in programs if name != OURS), OURS)
    others = OtherLoad()
    hot = request.mode == "hot"
    compute_bound = is_compute_bound(work, facts=facts, hot=hot)
    peak = peak_program(work.dtype) if peak_program and work.dtype and compute_bound else None
    own = _own_clocks(device, OURS, *([AGAIN] if twice == OURS else []))
    samples = measure(
        {**programs, AGAIN: programs[twice], **({PEAK: peak.run} if peak else {})},
        plan,
        flush=None if hot else _flusher(facts, device),
        clock=clock,
        own={**own, **({PEAK: peak.seconds} if peak else {})},
    )
    noise = noise_floor(samples[twice].seconds, samples[AGAIN].seconds)
    times = {
        name: summarise(
            samples[name].seconds, repetitions=samples[name].repetitions, mode=request.mode,
            warnings=samples[name].warnings,
        )
        for name in programs
    }  # fmt: skip
    ours = times[OURS].median_s
    return Timing(
        times=times,
        speedup={
            name: speedup(samples[name].seconds, samples[OURS].seconds, noise=noise)
            for name in programs
            if name != OURS
        },
        noise_floor=noise,
        roofline=place(
            work,
            seconds=ours,
            facts=facts,
            hot=hot,
            peak=peak.flops / statistics.median(samples[PEAK].seconds) if peak else None,
        ),
        implausible=implausible(work, seconds=ours, facts=facts),
        warnings=_doubts(noise, twice, others.share()),
    )


def _flusher(facts: Facts, device: Device | None) -> Callable[[], None]:
    """Return what evicts the caches of the host, and of the device where there is one."""
    cache_bytes = max(facts.cache_bytes.values(), default=32 << 20)
    flush_host = cache_flusher(cache_bytes)

    def flush() -> None:
        flush_host()
        if device is not None:
            device.flush_caches(cache_bytes)

    return flush


def _own_clocks(device: Device | None, *names: str) -> dict[str, Clock]:
    """Return the device's clock for programs that run on it."""
    if device is None or device.device_seconds() is None:
        return {}
    return dict.fromkeys(names, lambda: device.device_seconds() or 0.0)


def _doubts(noise: float, twice: str, others_share: float) -> tuple[str, ...]:
    doubts = []
    if noise > NOISY:
        doubts.append(f"noisy: {twice} differs from itself by {noise:.0%}")
    if others_share > CROWDED:
        doubts.append(f"crowded: other programs had {others_share:.0%} of the processors")
    return tuple(doubts)
