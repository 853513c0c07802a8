"""Comparing two runs: what changed is told from what only wobbled."""

from __future__ import annotations

import pytest

from bellrock.bench.record import (
    BaselineInfo,
    MachineInfo,
    Outcome,
    ProblemInfo,
    Record,
    Status,
    TargetInfo,
    TimeInfo,
)
from bellrock.report.compare import compare, independent_ratio


def _time(median: float, *, half_width: float = 0.01) -> TimeInfo:
    low, high = median * (1 - half_width), median * (1 + half_width)
    return TimeInfo(median_s=median, p05_s=low, p95_s=high, ci95_s=(low, high), runs=30, mode="hot")


def _machine(host: str) -> MachineInfo:
    return MachineInfo(
        cpu="some", cores=2, logical_cpus=2, memory_bytes=1, governor=None, load_average=0.0,
        kernel="k", python="3", host_hash=host,
    )  # fmt: skip


def _record(median: float, *, eager: float = 1.0, name: str = "a", **more: object) -> Record:
    fields: dict[str, object] = {
        "problem": ProblemInfo(name=name, source=name, sha256=""), "dtype": "f32",
        "target": TargetInfo(name="cpu"), "status": Status.OK, "time": _time(median),
        "baselines": {"eager": BaselineInfo(time=_time(eager))}, **more,
    }  # fmt: skip
    return Record.model_validate(fields)


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [(2.0, 1.0, Outcome.FASTER), (1.0, 2.0, Outcome.SLOWER), (1.0, 1.0, Outcome.SAME),
     (1.0, 1.015, Outcome.SAME)],
)  # fmt: skip
def test_outcomes(before: float, after: float, outcome: Outcome) -> None:
    (change,) = compare([_record(before)], [_record(after)]).changes
    assert change.outcome is outcome
    assert change.ratio == pytest.approx(before / after)


def test_what_the_baselines_moved_too_is_the_machine() -> None:
    before, after = _record(1.0, eager=1.0), _record(1.3, eager=1.3)
    (change,) = compare([before], [after]).changes
    assert change.outcome is Outcome.SAME
    assert "baselines themselves moved by 30%" in change.notes
    (change,) = compare([before], [_record(1.3, eager=1.0)]).changes
    assert change.outcome is Outcome.SLOWER


def test_the_noise_of_either_run_counts() -> None:
    before, after = _record(1.2, noise_floor=0.3), _record(1.0)
    assert compare([before], [after]).changes[0].outcome is Outcome.SAME
    assert compare([after], [before]).changes[0].outcome is Outcome.SAME


def test_errors_of_independent_runs_add() -> None:
    ratio, low, high = independent_ratio(_time(2.0, half_width=0.03), _time(1.0, half_width=0.04))
    assert ratio == pytest.approx(2.0)
    assert (low, high) == pytest.approx((1.9, 2.1), rel=0.01)


def test_what_broke_is_said() -> None:
    broken = _record(1.0, status=Status.WRONG, time=None)
    (change,) = compare([_record(1.0)], [broken]).changes
    assert change.broke
    assert change.outcome is None
    assert change.notes == ("ok -> wrong",)
    assert not compare([broken], [broken]).changes[0].broke


def test_differences_of_the_setting_are_noted() -> None:
    before = _record(1.0, machine=_machine("x"), threads=1)
    after = _record(1.0, machine=_machine("y"), threads=2)
    assert compare([before], [after]).changes[0].notes == ("threads 1 -> 2", "another machine")


def test_problems_are_matched_by_name_overrides_target_and_dtype() -> None:
    other = _record(1.0, problem=ProblemInfo(name="a", source="", sha256="", overrides={"n": 2}))
    found = compare([_record(1.0), _record(1.0, name="b")], [other, _record(1.0)])
    assert [c.name for c in found.changes] == ["a"]
    assert (found.only_before, found.only_after) == (("b",), ("a",))


def test_surely_below() -> None:
    (change,) = compare([_record(1.0)], [_record(1.25)]).changes
    assert change.surely_below(0.9)
    assert not change.surely_below(0.8)
