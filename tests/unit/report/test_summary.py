"""What a set of records says as a whole."""

from __future__ import annotations

import math

import pytest

from bellrock.bench.record import (
    BaselineInfo,
    Outcome,
    ProblemInfo,
    Record,
    SpeedupInfo,
    Status,
    TargetInfo,
)
from bellrock.report.summary import geomean, summarise, verdict_line


def _record(name: str, ratio: float, outcome: Outcome, status: Status = Status.OK) -> Record:
    return Record(
        problem=ProblemInfo(name=name, source=name, sha256=""), target=TargetInfo(name="cpu"),
        dtype="f32", status=status, compile_seconds=2.0,
        baselines={"inductor": BaselineInfo(compile_seconds=8.0)},
        speedup={"inductor": SpeedupInfo(ratio=ratio, ci95=(ratio, ratio), outcome=outcome)},
    )  # fmt: skip


def test_geomean_of_reciprocals_is_one() -> None:
    mean, low, high = geomean([4.0, 0.25, 2.0, 0.5])
    assert mean == pytest.approx(1.0)
    assert low < 1.0 < high
    assert low * high == pytest.approx(1.0, rel=0.2)


def test_geomean_of_one() -> None:
    assert geomean([3.0]) == pytest.approx((3.0, 3.0, 3.0))


def test_only_right_answers_count_for_speed() -> None:
    summary = summarise(
        [
            _record("a", 2.0, Outcome.FASTER), _record("b", 8.0, Outcome.FASTER),
            _record("c", 1.0, Outcome.SAME),
            _record("d", 1000.0, Outcome.FASTER, Status.WRONG),
        ]
    )  # fmt: skip
    (against,) = summary.against
    assert against.geomean == pytest.approx(math.pow(16.0, 1 / 3))
    assert (against.problems, against.faster, against.slower, against.same) == (3, 2, 0, 1)
    assert (against.ours_compile_median_s, against.compile_median_s) == (2.0, 8.0)


def test_what_came_from_the_cache_is_no_compile_time() -> None:
    cached = _record("a", 2.0, Outcome.FASTER).model_copy(
        update={"cached": True, "compile_seconds": 0.01}
    )
    summary = summarise([cached, _record("b", 2.0, Outcome.FASTER)])
    assert summary.against[0].ours_compile_median_s == 2.0


def test_counts_in_words() -> None:
    records = [
        _record("a", 1.0, Outcome.SAME), _record("b", 1.0, Outcome.SAME, Status.TIMEOUT),
        _record("c", 1.0, Outcome.SAME, Status.WRONG),
    ]  # fmt: skip
    assert verdict_line(summarise(records)) == "1 of 3 ok, 1 wrong, 1 timeout"
    assert verdict_line(summarise([])) == "0 of 0 ok"
