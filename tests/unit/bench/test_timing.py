"""Timing on a device: its clock for what runs there, its caches flushed beside the host's."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bellrock.bench.record import ProblemInfo
from bellrock.bench.request import Request
from bellrock.bench.roofline import Work
from bellrock.bench.timing import time_programs
from bellrock.target.base import Facts, PeakProgram

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


def _request(**given: object) -> Request:
    return Request.model_validate({
        "problem": ProblemInfo(name="p", source="p.py", sha256=""), "path": Path("p.py"),
        "threads": 1, "min_runs": 3, "time_limit_seconds": 1.0, **given,
    })  # fmt: skip


def test_a_device_is_timed_by_its_clock_and_flushed() -> None:
    request = _request(mode="cold")
    gpu = _Gpu()
    programs = {"ours": lambda: None, "eager": lambda: None}
    work = Work(flops_by_dtype={}, compulsory_bytes=1, result_bytes=1)
    found = time_programs(programs, request, work=work, facts=FACTS, device=gpu)
    assert found.times["ours"].median_s == 2e-3
    assert found.times["eager"].median_s < 1e-3
    assert set(gpu.flushed) == {1 << 10}


def test_the_share_of_the_peak_is_of_the_peak_in_the_same_run() -> None:
    facts = dataclasses.replace(
        FACTS, peak_flops_per_s={"f32": 2e9}, bandwidth_bytes_per_s={"DRAM": 1e9}
    )
    runs: list[str] = []

    def peak_program(dtype: str) -> PeakProgram:
        return PeakProgram(run=lambda: runs.append(dtype), seconds=lambda: 4e-3, flops=4_000_000)

    work = Work(flops_by_dtype={"f32": 1_000_000}, compulsory_bytes=1, result_bytes=1)
    found = time_programs(
        {"ours": lambda: None}, _request(), work=work, facts=facts, device=_Gpu(),
        peak_program=peak_program,
    )  # fmt: skip
    assert found.roofline is not None
    assert found.roofline.peak_beside_flops_per_s == pytest.approx(1e9)
    # 1 ms at 1e9 operations a second, and 2 ms by the device's clock; by the facts a quarter.
    assert found.roofline.peak_fraction == pytest.approx(0.5)
    assert len(runs) > found.times["ours"].runs
    assert set(runs) == {"f32"}
    assert set(found.times) == {"ours"}


def test_no_peak_is_measured_where_memory_is_the_limit() -> None:
    facts = dataclasses.replace(
        FACTS, peak_flops_per_s={"f32": 2e9}, bandwidth_bytes_per_s={"DRAM": 1e9}
    )
    work = Work(flops_by_dtype={"f32": 1_000}, compulsory_bytes=100_000, result_bytes=1)
    found = time_programs(
        {"ours": lambda: None}, _request(), work=work, facts=facts, device=_Gpu(),
        peak_program=lambda dtype: pytest.fail(f"a peak of {dtype} was asked for"),
    )  # fmt: skip
    assert found.roofline is not None
    assert found.roofline.peak_beside_flops_per_s is None
    assert found.roofline.bound == "memory"
