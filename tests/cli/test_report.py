"""`bellrock report` and `bellrock compare` on records that are written here."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bellrock.bench.record import ProblemInfo, Record, Status, TargetInfo, TimeInfo
from bellrock.cli.main import cli


def _line(name: str, median: float, status: Status = Status.OK) -> str:
    time = TimeInfo(
        median_s=median, p05_s=median, p95_s=median, ci95_s=(0.99 * median, 1.01 * median),
        runs=20, mode="hot",
    )  # fmt: skip
    problem = ProblemInfo(name=name, source=name, sha256="")
    target = TargetInfo(name="cpu")
    record = Record(problem=problem, target=target, dtype="f32", status=status, time=time)
    return record.line() + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.jsonl").write_text(_line("a", 0.002) + _line("b", 0.001) + _line("c", 0.001))
    (tmp_path / "new.jsonl").write_text(
        _line("a", 0.001) + _line("b", 0.002) + _line("d", 1.0) + _line("c", 1.0, Status.WRONG)
    )
    return tmp_path


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.usefixtures("folder")
def test_report_prints_the_later_record() -> None:
    result = _run("report", "old.jsonl", "new.jsonl")
    assert result.exit_code == 0
    assert _lines(result.stdout) == [
        "problem  status  time",
        "a        ok      1 ms",
        "b        ok      2 ms",
        "c        wrong    1 s",
        "d        ok       1 s",
        "",
        "Failures",
        "  wrong c",
        "",
        "3 of 4 ok, 1 wrong",
    ]


@pytest.mark.usefixtures("folder")
def test_report_on_standard_output_is_alone() -> None:
    result = _run("report", "old.jsonl", "--csv", "-")
    assert result.stdout.splitlines() == [
        "problem,target,dtype,status,time_s",
        "a,cpu,f32,ok,0.002",
        "b,cpu,f32,ok,0.001",
        "c,cpu,f32,ok,0.001",
    ]
    assert _run("report", "old.jsonl", "--markdown", "-").stdout.startswith("**3 of 3 ok**")


def test_report_writes_files(folder: Path) -> None:
    assert _run("report", "old.jsonl", "--html", "new/r.html", "--title", "A & B").exit_code == 0
    assert "<title>A &amp; B</title>" in (folder / "new" / "r.html").read_text()


@pytest.mark.usefixtures("folder")
def test_compare() -> None:
    result = _run("compare", "old.jsonl", "new.jsonl")
    assert result.exit_code == 0
    assert _lines(result.stdout) == [
        "problem  before  after  ratio  95 % interval  verdict  notes",
        "a          2 ms   1 ms  2.00x   1.97 to 2.03  faster",
        "b          1 ms   2 ms  0.50x   0.49 to 0.51  slower",
        "c          1 ms    1 s                        broke    ok -> wrong",
        "",
        "after is 1.00x as fast (geometric mean of 2, 95 % interval 0.50 to 2.00); 1 faster, "
        "1 slower, 0 same",
        "1 broke",
        "only after: d",
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("files", "limit", "code"),
    [
        ("old.jsonl old.jsonl", "0.9", 0),
        ("old.jsonl new.jsonl", "0.1", 1),
        ("new.jsonl old.jsonl", "0.4", 0),
        ("new.jsonl old.jsonl", "0.6", 1),
    ],
    ids=["same", "broke", "slower-but-allowed", "slower"],
)
def test_compare_as_a_gate(files: str, limit: str, code: int) -> None:
    assert _run("compare", *files.split(), "--fail-below", limit).exit_code == code


@pytest.mark.usefixtures("folder")
def test_compare_as_csv() -> None:
    lines = _run("compare", "old.jsonl", "new.jsonl", "--csv").stdout.splitlines()
    assert lines[0].startswith("problem,status_before,status_after,before_s,after_s,ratio")
    assert lines[1].startswith("a,ok,ok,0.002,0.001,2.0,")
    assert lines[3].startswith("c,ok,wrong,0.001,1.0,")
