"""The driver: whatever a problem's process does, the run goes on and every problem is a row."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from bellrock.bench.journal import Journal
from bellrock.bench.record import Record, Status
from bellrock.bench.record_file import read_records
from bellrock.bench.run import Options, Run, bench
from bellrock.bench.suite import SuiteEntry
from bellrock.errors import BenchError

JOB = "fake_jobs:by_name"
PROBLEM = """
class Model: ...
def get_inputs(): ...
def get_init_inputs(): ...
"""


class Watcher:
    """An observer that keeps what it saw."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.seen: list[Record] = []
        self.started: tuple[int, int] | None = None
        self.steps: set[str] = set()
        self._stop_after = stop_after

    def begin(self, total: int, skipped: int) -> None:
        self.started = (total, skipped)

    def progress(self, steps: Mapping[str, str]) -> None:
        self.steps.update(steps.values())

    def ended(self, record: Record) -> None:
        self.seen.append(record)
        if len(self.seen) == self._stop_after:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _jobs_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "jobs"), prepend=os.pathsep)


@pytest.fixture
def run(tmp_path: Path):
    def go(*names: str, journal: Journal | None = None, watcher: Watcher | None = None, **more):
        entries = []
        for name in names:
            path = tmp_path / f"{name}.py"
            path.write_text(PROBLEM)
            entries.append(SuiteEntry(name=name, path=path))
        options = Options(**{"check_only": True, **more})
        watcher = watcher or Watcher()
        result = bench(
            entries, options, observer=watcher, journal=journal, job=JOB, preload=("fake_jobs",)
        )
        return result, watcher

    return go


def _alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _status(result: Run) -> dict[str, Status]:
    return {record.problem.name: record.status for record in result.records}


def test_good_problems_are_ok_in_suite_order(run) -> None:
    result, watcher = run("slow", "good", jobs=2)
    assert [r.problem.name for r in result.records] == ["slow", "good"]
    assert [r.problem.name for r in watcher.seen] == ["good", "slow"]
    assert set(_status(result).values()) == {Status.OK}
    assert watcher.started == (2, 0)
    assert result.records[0].wall_seconds >= 1.0
    assert result.records[0].peak_memory_bytes > 1 << 20


def test_a_crash_is_a_row_with_what_was_known(run) -> None:
    result, _ = run("good", "segfault", "good_too")
    assert _status(result) == {
        "good": Status.OK, "segfault": Status.CRASHED, "good_too": Status.OK,
    }  # fmt: skip
    record = result.records[1]
    assert record.failure is not None
    assert (record.failure.stage, record.failure.exception) == ("run", "SIGSEGV")
    assert "Segmentation fault" in record.failure.stderr_tail
    assert "Extension modules" not in record.failure.stderr_tail
    assert record.compile_seconds == 1.5


def test_a_hang_ends_at_the_limit_with_all_it_started(run) -> None:
    began = time.monotonic()
    result, _ = run("hang", "good", time_limit_seconds=1.0)
    assert time.monotonic() - began < 20
    assert _status(result) == {"hang": Status.TIMEOUT, "good": Status.OK}
    failure = result.records[0].failure
    assert failure is not None
    assert failure.stage == "compile"
    assert not _alive(int(failure.stderr_tail.split()[-1]))


@pytest.mark.parametrize("name", ["greedy", "creeping", "killed"])
def test_out_of_memory_is_a_row(run, name: str) -> None:
    result, _ = run(name, "good", memory_limit_bytes=600 << 20)
    assert _status(result) == {name: Status.OUT_OF_MEMORY, "good": Status.OK}


def test_a_share_of_the_memory_too_small_is_not_the_problem_s_end(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bellrock.bench.run.memory_limit_bytes", lambda _: 1200 << 20)
    result, watcher = run("large", "slow", "greedy", "good", jobs=2)
    assert _status(result) == {
        "large": Status.OK, "slow": Status.OK, "greedy": Status.OUT_OF_MEMORY, "good": Status.OK,
    }  # fmt: skip
    names = [record.problem.name for record in watcher.seen]
    assert sorted(names[:2]) == ["good", "slow"], "what needs more comes last"
    assert len(names) == 4, "each has one record"


@pytest.mark.parametrize(
    ("name", "message"), [("raises", "no such luck"), ("quits", "the process ended early")]
)
def test_an_early_end_is_a_row(run, name: str, message: str) -> None:
    result, _ = run(name)
    assert _status(result) == {name: Status.CRASHED}
    failure = result.records[0].failure
    assert failure is not None
    assert message in failure.message


def test_a_lost_zygote_is_replaced(run) -> None:
    result, _ = run("zygote_dies", "good")
    assert _status(result)["good"] is Status.OK
    assert _status(result)["zygote_dies"] is not Status.OK


def test_a_baseline_that_crashes_costs_only_itself(run) -> None:
    result, watcher = run("baseline_crashes", check_only=False)
    assert _status(result) == {"baseline_crashes": Status.OK}
    assert len(watcher.seen) == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("absent", None, "cannot be read"),
        ("empty", "", "does not define 'Model'"),
        ("broken", "class Model(", "is not Python"),
    ],
)
def test_a_file_that_is_no_problem_is_a_row(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    path = tmp_path / f"{name}.py"
    if text is not None:
        path.write_text(text)
    entry = SuiteEntry(name="good", path=path)
    result = bench([entry], Options(), observer=Watcher(), job=JOB, preload=())
    assert _status(result) == {"good": Status.IMPORT_FAILED}
    failure = result.records[0].failure
    assert failure is not None
    assert failure.stage == "load"
    assert message in failure.message


def test_what_is_measured_survives_an_interrupt_and_resume_goes_on(run, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with Journal(path, resume=False) as journal:
        result, _ = run("good", "good_too", "slow", journal=journal, watcher=Watcher(stop_after=2))
    assert result.interrupted
    assert [r.problem.name for r in read_records(path)] == ["good", "good_too"]
    with path.open("a") as file:
        file.write('{"schema": 1, "prob')  # a line that a killed run did not finish
    with Journal(path, resume=True) as journal:
        result, watcher = run("good", "good_too", "slow", journal=journal)
    assert not result.interrupted
    assert watcher.started == (1, 2)
    assert [r.problem.name for r in result.records] == ["good", "good_too", "slow"]
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize(("retry_failed", "started"), [(False, (1, 2)), (True, (2, 1))])
def test_what_was_cut_short_is_run_again_and_other_failures_on_demand(
    run, tmp_path: Path, *, retry_failed: bool, started: tuple[int, int]
) -> None:
    path, names = tmp_path / "records.jsonl", ("good", "wrong", "segfault")
    with Journal(path, resume=False) as journal:
        before, _ = run(*names, journal=journal)
    assert [*_status(before).values()] == [Status.OK, Status.WRONG, Status.CRASHED]
    with Journal(path, resume=True) as journal:
        result, watcher = run(*names, journal=journal, retry_failed=retry_failed)
    assert watcher.started == started
    assert _status(result) == _status(before)
    assert len(path.read_text().splitlines()) == 3 + started[0]
    assert [r.problem.name for r in read_records(path)][-1] == "segfault"


def test_a_checked_problem_is_not_yet_measured(run, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with Journal(path, resume=False) as journal:
        run("good", journal=journal, check_only=True)
    with Journal(path, resume=True) as journal:
        _, watcher = run("good", journal=journal, check_only=False)
    assert watcher.started == (1, 0)


def test_another_dtype_is_another_measurement(run, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with Journal(path, resume=False) as journal:
        run("good", journal=journal)
    with Journal(path, resume=True) as journal:
        _, watcher = run("good", journal=journal, dtype="bf16")
    assert watcher.started == (1, 0)


def test_a_preload_that_fails_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "good.py"
    path.write_text(PROBLEM)
    entry = SuiteEntry(name="good", path=path)
    result = bench([entry], Options(), observer=Watcher(), job=JOB, preload=("no_such_module",))
    assert isinstance(result.stopped, BenchError)
    assert "cannot start" in str(result.stopped)
    assert "no_such_module" in str(result.stopped)


def test_what_is_wrong_with_the_run_ends_it_and_keeps_what_there_is(run) -> None:
    result, _ = run("good", "bad_pipeline", "good_too")
    assert str(result.stopped) == "mine.yaml:3: unknown key."
    assert result.stopped.exit_code == 2
    assert _status(result) == {"good": Status.OK}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_ends_the_run_and_keeps_what_there_is(run) -> None:
    with Journal(Path("/dev/full"), resume=False) as journal:
        result, _ = run("good", "good_too", journal=journal)
    assert "No space left" in str(result.stopped)
    assert _status(result) == {"good": Status.OK}


def test_the_driver_loads_neither_torch_nor_mlir() -> None:
    import subprocess

    code = (
        "import sys, bellrock.bench.run; roots = {m.partition('.')[0] for m in sys.modules};"
        "sys.exit(bool(roots & {'torch', 'torch_mlir', 'scipy'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
