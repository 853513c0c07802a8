"""The machine's limits, and what they say of a measured time.

Flows in: what a call has to do, its time, the device's facts, its peak as measured beside the
programs. Flows out: the record's `RooflineInfo`, and complaints about times that cannot be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from bellrock.bench.record import RooflineInfo
from bellrock.payload.roofline import Roofline, roofline
from bellrock.target.base import Facts

SLACK = 1.25
"""Facts are measured too, and are so far off at times."""
FEWER_OPERATIONS = 4.0
"""Programs may do without operations that were counted: Winograd's convolution needs 4
times fewer at F(4x4, 3x3). Source: Lavin and Gray, CVPR 2016, section 4.1."""
RESIDENT = 0.5
"""Share of a cache up to which data are taken to stay in it between two runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one call has to do."""

    flops_by_dtype: Mapping[str, int]
    compulsory_bytes: int
    """Arguments that are read and results, each once."""
    result_bytes: int

    @property
    def flops(self) -> int:
        """Operations of all dtypes."""
        return sum(self.flops_by_dtype.values())

    @property
    def dtype(self) -> str | None:
        """The dtype of most operations."""
        return max(self.flops_by_dtype, key=lambda d: self.flops_by_dtype[d], default=None)


def is_compute_bound(work: Work, *, facts: Facts, hot: bool) -> bool:
    """Whether the operations are the nearer limit, by the facts; arguments as in `place`."""
    limit = _limit(work, facts, hot=hot)
    return limit is not None and limit.bound == "compute"


def place(
    work: Work, *, seconds: float, facts: Facts, hot: bool, peak: float | None = None
) -> RooflineInfo | None:
    """Return the nearer limit and how close to it a time is.

    Args:
        work: of one call.
        seconds: of one call.
        facts: of the device.
        hot: whether the same buffers were used again, so that they may be in a cache.
        peak: operations a second of the work's `dtype` as measured in the same run, instead of
            the facts'.

    Returns:
        None where the facts do not have the numbers.
    """
    if peak is not None and work.dtype is not None:
        peaks = {**facts.peak_flops_per_s, work.dtype: peak}
        facts = dataclasses.replace(facts, peak_flops_per_s=peaks)
    limit = _limit(work, facts, hot=hot)
    if limit is None:
        return None
    moved = work.compulsory_bytes
    return RooflineInfo(
        bound=limit.bound,
        peak_fraction=limit.seconds / seconds,
        limit_s=limit.seconds,
        intensity_flops_per_byte=work.flops / moved if moved else 0.0,
        achieved_flops_per_s=work.flops / seconds,
        peak_beside_flops_per_s=peak,
    )


def _limit(work: Work, facts: Facts, *, hot: bool) -> Roofline | None:
    """Return the roofline at the bandwidth that the data can be had with."""
    bandwidth = reachable_bandwidth(facts, work.compulsory_bytes, hot=hot)
    if bandwidth is None:
        return None
    within = dataclasses.replace(facts, bandwidth_bytes_per_s={"DRAM": bandwidth})
    return roofline(work.flops_by_dtype, work.compulsory_bytes, within)


def reachable_bandwidth(facts: Facts, moved_bytes: int, *, hot: bool) -> float | None:
    """Return the bandwidth of the nearest level that can hold the data, in bytes per second."""
    known = facts.bandwidth_bytes_per_s
    memory = known.get("DRAM")
    if not hot:
        return memory
    fitting = [
        known[level]
        for level, capacity in facts.cache_bytes.items()
        if level in known and moved_bytes <= RESIDENT * capacity * _copies(facts, level)
    ]
    return max(fitting, default=memory)


def _copies(facts: Facts, level: str) -> int:
    """How many caches of a level there are."""
    return facts.cores if level in facts.core_caches else 1


def implausible(work: Work, *, seconds: float, facts: Facts) -> str | None:
    """Return why a time cannot be, or None.

    Results have to be written, whatever else a program may do without, and no program does
    with much fewer operations than were counted.
    """
    fastest = max(facts.bandwidth_bytes_per_s.values(), default=0.0)
    if fastest and work.result_bytes / (SLACK * fastest) > seconds:
        return (
            f"writing the results alone takes {work.result_bytes / fastest:.3g} s at the highest "
            f"bandwidth known, and {seconds:.3g} s were measured"
        )
    limit = roofline(work.flops_by_dtype, 0, facts)
    if limit is not None and limit.compute_seconds / (SLACK * FEWER_OPERATIONS) > seconds:
        return (
            f"the operations counted take {limit.compute_seconds:.3g} s at the device's peak, "
            f"and {seconds:.3g} s were measured"
        )
    return None
