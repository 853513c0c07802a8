"""Tables in each format say what the records say."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from bellrock.bench.record import (
    BaselineInfo,
    ErrorInfo,
    FailureInfo,
    Outcome,
    ProblemInfo,
    Record,
    SpeedupInfo,
    Status,
    TargetInfo,
    TimeInfo,
)
from bellrock.report.terminal import render
from bellrock.report.text import to_csv, to_markdown
from bellrock.target.program import KernelInfo


def _time(median: float, *warnings: str) -> TimeInfo:
    return TimeInfo(
        median_s=median, p05_s=median, p95_s=median, ci95_s=(median, median), runs=20, mode="hot",
        warnings=warnings,
    )  # fmt: skip


def measured(name: str, ours: float, eager: float, outcome: Outcome, **more: object) -> Record:
    ratio = eager / ours
    fields: dict[str, object] = {
        "problem": ProblemInfo(name=name, source=f"{name}.py", sha256="0"),
        "target": TargetInfo(name="cpu"), "dtype": "f32", "status": Status.OK, "correct": True,
        "error": ErrorInfo(metric="max", value=1e-7, budget=3e-6, trials=3),
        "time": _time(ours), "compile_seconds": 1.25,
        "baselines": {"eager": BaselineInfo(time=_time(eager), compile_seconds=0.0)},
        "speedup": {
            "eager": SpeedupInfo(ratio=ratio, ci95=(0.9 * ratio, 1.1 * ratio), outcome=outcome)
        },
        "kernels": (
            KernelInfo(name="k", motif="contraction", calls=1, path="vector", vectorised=True,
                      parallel=False, compile_seconds=0.1, cached=False),
        ),
        **more,
    }  # fmt: skip
    return Record.model_validate(fields)


def failed(name: str, message: str, status: Status = Status.COMPILE_FAILED) -> Record:
    return Record(
        problem=ProblemInfo(name=name, source=f"{name}.py", sha256="0"),
        target=TargetInfo(name="cpu"), dtype="f32", status=status,
        failure=FailureInfo(stage="bufferise", exception="StageError", message=message),
    )  # fmt: skip


RECORDS = (
    measured("fast", 1e-3, 2e-3, Outcome.FASTER),
    measured("slow", 2e-3, 1e-3, Outcome.SLOWER),
    measured("even", 1.0, 1.02, Outcome.SAME),
    failed("odd[n=3]", "no | luck,\nat all"),
)


def _printed(*records: Record, width: int = 200) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(render(records, width=width))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    return "\n".join(line.rstrip() for line in text.splitlines())


TABLE = """\
problem   status             error / budget  time   eager  x eager  compile    kernels
fast      ok              1.0e-07 / 3.0e-06  1 ms    2 ms    2.00x   1.25 s  1 (1v 0p)
slow      ok              1.0e-07 / 3.0e-06  2 ms    1 ms    0.50x   1.25 s  1 (1v 0p)
even      ok              1.0e-07 / 3.0e-06   1 s  1.02 s  ~ 1.02x   1.25 s  1 (1v 0p)
odd[n=3]  compile-failed

Failures
  compile-failed odd[n=3] at bufferise: StageError: no | luck, at all

3 of 4 ok, 1 compile-failed
against eager: 1.01x (geometric mean of 3, 95 % interval 0.50 to 2.00); \
1 faster, 1 slower, 1 within noise"""


def test_the_whole_table() -> None:
    assert _printed(*RECORDS) == TABLE


@pytest.mark.parametrize("width", [60, 80, 100])
def test_narrow_terminals_lose_columns_and_never_names_or_verdicts(width: int) -> None:
    lines = _printed(*RECORDS, width=width).splitlines()
    assert all(len(line) <= width for line in lines)
    assert lines[1].startswith("fast ")
    assert "2.00x" in lines[1]
    assert "ok" in lines[1]


def test_only_checked_records_have_no_columns_of_times() -> None:
    record = measured("a", 1.0, 1.0, Outcome.SAME, time=None, baselines={}, speedup={})
    assert "eager" not in _printed(record)


def test_warnings_are_shown_with_whom_they_are_about() -> None:
    record = measured(
        "a", 1.0, 1.0, Outcome.SAME, warnings=("one",), time=_time(1.0, "two"),
        baselines={"eager": BaselineInfo(time=_time(1.0, "three"))},
    )  # fmt: skip
    assert "a: one; time: two; eager: three" in _printed(record)


def test_a_baseline_that_failed_is_named() -> None:
    broken = {"eager": BaselineInfo(failure=FailureInfo(stage="x", exception="E", message="m"))}
    assert " failed " in _printed(
        measured("a", 1.0, 1.0, Outcome.SAME, baselines=broken, speedup={})
    )


def test_csv_has_raw_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(RECORDS))))
    assert [row["problem"] for row in rows] == ["fast", "slow", "even", "odd[n=3]"]
    assert float(rows[0]["eager_speedup"]) == 2.0
    assert rows[2]["eager_outcome"] == "same"
    assert rows[3]["failure"] == "no | luck,\nat all"
    assert rows[3]["time_s"] == ""


def test_markdown_cells_stay_in_their_table() -> None:
    lines = to_markdown(RECORDS).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(RECORDS)
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "* `odd[n=3]` (compile-failed, at bufferise): no \\| luck, at all" in lines
