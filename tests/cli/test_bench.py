"""`bellrock bench` with jobs that only pretend: options, outputs, exit codes, interrupts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bellrock.cli.main import cli

JOBS = Path(__file__).parents[1] / "unit" / "bench" / "jobs"
PROBLEM = """
batch = 4
class Model: ...
def get_inputs(): ...
def get_init_inputs(): ...
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `bench` in a folder, on problems that are made for it by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(JOBS), prepend=os.pathsep)
    monkeypatch.setattr("bellrock.bench.run.JOB", "fake_jobs:by_name")
    monkeypatch.setattr("bellrock.bench.run._preload", lambda _options: ())

    def go(*words: str) -> Result:
        for word in words:
            if word.endswith(".py"):
                Path(word).write_text(PROBLEM)
        return CliRunner().invoke(cli, ["bench", *words])

    return go


TABLE = """\
problem   status   time  eager  x eager  compile
faster    ok       1 ms   2 ms    2.00x   1.25 s
slower    ok       4 ms   2 ms    0.50x   1.25 s
segfault  crashed

Failures
  crashed segfault at run: SIGSEGV: the process was ended by SIGSEGV

2 of 3 ok, 1 crashed
against eager: 1.00x (geometric mean of 2, 95 % interval 0.50 to 2.00); \
1 faster, 1 slower, 0 within noise
"""


def test_the_whole_output(run: Run) -> None:
    result = run("faster.py", "slower.py", "segfault.py")
    assert result.exit_code == 1
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    # The one that crashed got as far as compiling, in 1.5 s.
    lines[3] = lines[3].removesuffix("1.5 s").rstrip()
    assert "\n".join(lines) + "\n" == TABLE
    progress = [re.sub(r"[\d.]+ m?s$", "TIME", line) for line in result.stderr.splitlines()]
    assert progress == [
        "[1/3] ok             faster  TIME",
        "[2/3] ok             slower  TIME",
        "[3/3] crashed        segfault  TIME",
    ]


def test_all_ok_is_zero(run: Run) -> None:
    assert run("faster.py", "good.py").exit_code == 0


def test_a_checker_that_was_fooled_is_a_failure(run: Run) -> None:
    result = run("fooled.py", "--mutants", "--check-only")
    assert result.exit_code == 1
    assert "the checker accepted the wrong answer 'zeros'" in result.stdout


@pytest.mark.parametrize(("limit", "code"), [("0.5", 0), ("0.54", 0), ("0.56", 1), ("0.9", 1)])
def test_fail_below_means_surely_below(run: Run, limit: str, code: int) -> None:
    """The interval of the slower one is 0.45 to 0.55."""
    assert run("slower.py", "--fail-below", limit).exit_code == code


def test_json_on_standard_output_is_the_records_alone(run: Run) -> None:
    result = run("faster.py", "good.py", "--json", "-")
    assert [json.loads(line)["status"] for line in result.stdout.splitlines()] == ["ok", "ok"]
    assert "2 of 2 ok" in result.stderr


def test_all_files_are_written(run: Run) -> None:
    names = ["out/r.jsonl", "out/r.html", "out/r.csv", "out/r.md", "out/lock.yaml"]
    options = ["--json", "--html", "--csv", "--markdown", "--write-lock"]
    words = [word for pair in zip(options, names, strict=True) for word in pair]
    assert run("faster.py", *words).exit_code == 0
    texts = [Path(name).read_text() for name in names]
    assert json.loads(texts[0])["problem"]["name"] == "faster"
    assert texts[1].startswith("<!doctype html>")
    assert texts[2].startswith("problem,target,dtype,status")
    assert texts[3].startswith("**1 of 1 ok**")
    assert "motif: contraction" in texts[4]
    assert "parameters: {tile: [8, 32]}" in texts[4]


def test_the_table_is_printed_before_a_file_turns_out_not_to_be_writable(run: Run) -> None:
    result = run("faster.py", "--html", "/dev/full")
    assert result.exit_code == 1
    assert "1 of 1 ok" in result.stdout


def test_resume_runs_what_is_left(run: Run) -> None:
    assert run("faster.py", "--json", "r.jsonl").exit_code == 0
    result = run("faster.py", "slower.py", "--json", "r.jsonl", "--resume")
    assert result.exit_code == 0
    assert result.stderr.startswith("1 known from before, 1 to do\n[1/1] ok             slower")
    assert "2 of 2 ok" in result.stdout
    assert len(Path("r.jsonl").read_text().splitlines()) == 2


def test_overrides_and_options_reach_the_record(run: Run) -> None:
    words = ["--set", "batch=8", "--dtype", "bf16", "--seed", "3", "--threads", "1"]
    result = run("good.py", *words, "--json", "-", "--check-only")
    record = json.loads(result.stdout)
    assert record["problem"]["overrides"] == {"batch": 8}
    assert (record["dtype"], record["seed"], record["threads"]) == ("bf16", 3, 1)
    assert record["check_only"] is True


def test_only_and_sample_narrow_the_choice(run: Run) -> None:
    result = run("good.py", "faster.py", "good_too.py", "--only", "good*", "--json", "-")
    assert len(result.stdout.splitlines()) == 2
    result = run("good.py", "faster.py", "good_too.py", "--sample", "1", "--json", "-")
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_and_reports_what_was_measured(
    run: Run, tmp_path: Path, kind: signal.Signals
) -> None:
    for name in ("faster", "hang"):
        (tmp_path / f"{name}.py").write_text(PROBLEM)
    code = (
        # A shell's background job ignores interrupts, and its children inherit that.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys, bellrock.bench.run as run; run.JOB = 'fake_jobs:by_name';"
        "run._preload = lambda options: ();"
        "from bellrock.cli.main import main; sys.exit(main())"
    )
    words = ["bench", "faster.py", "hang.py", "--json", "r.jsonl", "--html", "r.html"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=dict(os.environ),
    )  # fmt: skip
    deadline, records = time.monotonic() + 60, tmp_path / "r.jsonl"
    while time.monotonic() < deadline and not (records.exists() and records.read_text().strip()):
        time.sleep(0.05)
    time.sleep(0.3)  # into the hanging one
    process.send_signal(kind)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "1 of 1 ok" in out
    assert "Interrupted: 1 of 2 problems were done" in error
    assert "Traceback" not in error
    assert json.loads((tmp_path / "r.jsonl").read_text())["problem"]["name"] == "faster"
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
