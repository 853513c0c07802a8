"""Turns: while one problem is timed, all that the others started stands still."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bellrock.bench.record import Status
from bellrock.bench.run import Options, bench
from bellrock.bench.suite import SuiteEntry

PROBLEM = """
class Model: ...
def get_inputs(): ...
def get_init_inputs(): ...
"""
SLACK_SECONDS = 0.06
"""A signal takes its time on a busy machine; turns of the jobs are many times as long."""


class _Silent:
    def begin(self, total: int, skipped: int) -> None: ...
    def progress(self, steps: object) -> None: ...
    def ended(self, record: object) -> None: ...


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "jobs"), prepend=":")

    def go(*names: str, **more):
        entries = []
        for name in names:
            path = tmp_path / f"{name}.py"
            path.write_text(PROBLEM)
            entries.append(SuiteEntry(name=name, path=path))
        options = Options(**{"against": (), "jobs": len(names), **more})
        result = bench(entries, options, observer=_Silent(), job="fake_turns:by_name", preload=())
        return {record.problem.name: record for record in result.records}

    return go


def _told(record) -> list[float]:
    return json.loads(record.warnings[0])


def test_turns_do_not_overlap_and_others_stand_still(run) -> None:
    records = run("turn_a", "turn_b", "ticks")
    assert {record.status for record in records.values()} == {Status.OK}
    turns = sorted(_told(records[name]) for name in ("turn_a", "turn_b"))
    assert turns[0][1] <= turns[1][0]
    ticks = _told(records["ticks"])
    assert ticks[0] < turns[0][0] < turns[1][1] < ticks[-1], "the onlooker saw both turns"
    for begin, end in turns:
        inside = [t for t in ticks if begin + SLACK_SECONDS < t < end - SLACK_SECONDS]
        assert inside == []


def test_what_stands_still_spends_no_time(run) -> None:
    records = run("turn_a", "turn_b", "ticks", time_limit_seconds=4.0)
    assert records["ticks"].status is Status.OK
    ticks = _told(records["ticks"])
    assert ticks[-1] - ticks[0] > 4.0, "more time passed than the limit"
    assert records["ticks"].wall_seconds < 4.0


def test_a_problem_that_dies_in_its_turn_gives_it_back(run) -> None:
    records = run("dies", "turn_a", "ticks")
    assert records["dies"].status is Status.CRASHED
    assert (records["turn_a"].status, records["ticks"].status) == (Status.OK, Status.OK)
