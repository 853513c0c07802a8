"""Measuring with a clock that only the programs move, so that every number is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bellrock.bench.measure import Plan, measure
from bellrock.errors import BenchError


class Bench:
    """A clock, programs that take a given time on it, and the order they ran in."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ran: list[str] = []

    def clock(self) -> float:
        return self.now

    def program(self, name: str, seconds: float, *, drift: float = 0.0) -> Callable[[], None]:
        def call() -> None:
            self.ran.append(name)
            self.now += seconds * (1.0 + drift * self.now)

        return call


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_each_round_runs_each_program_once_in_changing_order(bench: Bench) -> None:
    programs = {name: bench.program(name, 0.01) for name in "abc"}
    samples = measure(programs, Plan(min_runs=8, target_seconds=0.0), clock=bench.clock)
    rounds = [bench.ran[i : i + 3] for i in range(len(bench.ran) - 24, len(bench.ran), 3)]
    assert all(sorted(r) == ["a", "b", "c"] for r in rounds)
    assert len({tuple(r) for r in rounds}) > 1
    assert {len(s.seconds) for s in samples.values()} == {8}


def test_the_order_is_the_same_in_every_run() -> None:
    orders = []
    for _ in range(2):
        bench = Bench()
        measure({n: bench.program(n, 0.01) for n in "abc"}, Plan(), clock=bench.clock)
        orders.append(bench.ran)
    assert orders[0] == orders[1]


def test_short_calls_are_repeated_until_a_run_is_long_enough(bench: Bench) -> None:
    programs = {"short": bench.program("short", 2e-6), "long": bench.program("long", 0.02)}
    samples = measure(programs, Plan(min_sample_seconds=1e-3), clock=bench.clock)
    assert samples["short"].repetitions * 2e-6 >= 1e-3
    assert samples["long"].repetitions == 1
    assert samples["short"].seconds[0] == pytest.approx(2e-6)
    assert samples["short"].warnings == ()


def test_a_run_that_cannot_be_made_long_enough_says_so(bench: Bench) -> None:
    plan = Plan(max_repetitions=10)
    samples = measure({"a": bench.program("a", 1e-6)}, plan, clock=bench.clock)
    assert samples["a"].repetitions == 10
    assert any("too short" in w for w in samples["a"].warnings)


def test_measures_until_both_runs_and_time_suffice(bench: Bench) -> None:
    plan = Plan(min_runs=5, target_seconds=1.0)
    samples = measure({"a": bench.program("a", 0.01)}, plan, clock=bench.clock)
    assert 100 <= len(samples["a"].seconds) <= 102


def test_the_limit_cuts_runs_and_says_so(bench: Bench) -> None:
    plan = Plan(min_runs=15, limit_seconds=60.0)
    samples = measure({"a": bench.program("a", 12.0)}, plan, clock=bench.clock)
    assert 2 <= len(samples["a"].seconds) <= 6
    assert any("too few runs" in w for w in samples["a"].warnings)


def test_drift_of_the_machine_falls_on_all_alike(bench: Bench) -> None:
    """The machine slows down threefold; equal programs must come out equal."""
    programs = {name: bench.program(name, 0.05, drift=0.02) for name in "ab"}
    samples = measure(programs, Plan(min_runs=40, limit_seconds=1e9), clock=bench.clock)
    first, second = (sum(samples[name].seconds) for name in "ab")
    assert samples["a"].seconds[-1] > 1.05 * samples["a"].seconds[0]
    assert first / second == pytest.approx(1.0, abs=0.01)


def test_cold_mode_flushes_before_each_run_outside_its_time(bench: Bench) -> None:
    def flush() -> None:
        bench.ran.append("flush")
        bench.now += 5.0

    plan = Plan(mode="cold", min_runs=4, target_seconds=0.0, limit_seconds=1e9)
    samples = measure({"a": bench.program("a", 1e-4)}, plan, flush=flush, clock=bench.clock)
    assert bench.ran[-8:] == ["flush", "a"] * 4
    assert samples["a"].repetitions == 1
    assert samples["a"].seconds == pytest.approx([1e-4] * 4)


def test_cold_mode_needs_a_flush(bench: Bench) -> None:
    with pytest.raises(BenchError, match="flush"):
        measure({"a": bench.program("a", 1.0)}, Plan(mode="cold"), clock=bench.clock)


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(BenchError, match="no program"):
        measure({}, Plan())


def test_a_device_has_a_clock_of_its_own(bench: Bench) -> None:
    """Its times count, whatever the host's clock says of the call and of the copies around it."""
    programs = {"ours": bench.program("ours", 0.5), "eager": bench.program("eager", 0.25)}
    plan = Plan(min_runs=4, target_seconds=0.0)
    samples = measure(programs, plan, clock=bench.clock, own={"ours": lambda: 0.01})
    assert samples["ours"].seconds == (0.01,) * 4
    assert samples["eager"].seconds == pytest.approx((0.25,) * 4)
