"""Limits of a made-up machine: 100 GFLOP/s, 10 GB/s from memory, 50 GB/s from L3."""

from __future__ import annotations

import dataclasses

import pytest

from bellrock.bench.roofline import Work, implausible, place
from bellrock.target.base import Facts

FACTS = Facts(
    device="made up", cores=2, vector_bits=512, vector_registers=32, features=frozenset(),
    cache_bytes={"L3": 8 << 20}, peak_flops_per_s={"f32": 100e9},
    bandwidth_bytes_per_s={"DRAM": 10e9, "L3": 50e9},
)  # fmt: skip


def _work(flops: int, moved: int, *, results: int = 0) -> Work:
    return Work(flops_by_dtype={"f32": flops}, compulsory_bytes=moved, result_bytes=results)


@pytest.mark.parametrize(
    ("flops", "moved", "bound", "limit"),
    [(10**11, 10**9, "compute", 1.0), (10**9, 10**10, "memory", 1.0)],
)
def test_the_nearer_limit_counts(flops: int, moved: int, bound: str, limit: float) -> None:
    found = place(_work(flops, moved), seconds=2.0, facts=FACTS, hot=True)
    assert found is not None
    assert (found.bound, found.limit_s, found.peak_fraction) == (bound, limit, limit / 2)
    assert found.achieved_flops_per_s == flops / 2


def test_hot_data_that_fit_come_from_the_cache() -> None:
    work = _work(1, 1 << 20)
    hot = place(work, seconds=1.0, facts=FACTS, hot=True)
    cold = place(work, seconds=1.0, facts=FACTS, hot=False)
    assert hot is not None
    assert cold is not None
    assert cold.limit_s == pytest.approx(5 * hot.limit_s)


def test_unknown_facts_give_no_limit() -> None:
    unknown = dataclasses.replace(FACTS, peak_flops_per_s={}, bandwidth_bytes_per_s={})
    assert place(_work(1, 1), seconds=1.0, facts=unknown, hot=True) is None
    assert implausible(_work(10**15, 1, results=10**15), seconds=1.0, facts=unknown) is None


def test_results_have_to_be_written() -> None:
    work = _work(0, 10**9, results=10**9)
    assert implausible(work, seconds=0.02, facts=FACTS) is None
    assert "writing the results" in (implausible(work, seconds=0.01, facts=FACTS) or "")


def test_far_fewer_operations_than_counted_cannot_be() -> None:
    work = _work(10**11, 0)
    assert implausible(work, seconds=0.3, facts=FACTS) is None, "Winograd may do this"
    assert "operations" in (implausible(work, seconds=0.1, facts=FACTS) or "")
