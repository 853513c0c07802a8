"""Timing on a device: its clock for what runs there, its caches flushed beside the host's."""

from __future__ import annotations

from pathlib import Path

from bellrock.bench.record import ProblemInfo
from bellrock.bench.request import Request
from bellrock.bench.roofline import Work
from bellrock.bench.timing import time_programs
from bellrock.target.base import Facts

FACTS = Facts(
    device="a device", cores=1, vector_bits=512, vector_registers=32, cache_bytes={"L2": 1 << 10},
    features=frozenset(),
)  # fmt: skip


class _Gpu:
    """Calls take 2 ms by its clock; flushes are counted."""

    def __init__(self) -> None:
        self.flushed: list[int] = []

    def device_seconds(self) -> float | None:
        return 2e-3

    def flush_caches(self, cache_bytes: int) -> None:
        self.flushed.append(cache_bytes)


def test_a_device_is_timed_by_its_clock_and_flushed() -> None:
    request = Request(
        problem=ProblemInfo(name="p", source="p.py", sha256=""), path=Path("p.py"), threads=1,
        mode="cold", min_runs=3, time_limit_seconds=1.0,
    )  # fmt: skip
    gpu = _Gpu()
    programs = {"ours": lambda: None, "eager": lambda: None}
    work = Work(flops_by_dtype={}, compulsory_bytes=1, result_bytes=1)
    found = time_programs(programs, request, work=work, facts=FACTS, device=gpu)
    assert found.times["ours"].median_s == 2e-3
    assert found.times["eager"].median_s < 1e-3
    assert set(gpu.flushed) == {1 << 10}
