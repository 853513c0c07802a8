"""Bad input of every kind: one paragraph that names it, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bellrock.cli.main import cli

PROBLEM = """
import torch

rows = 4

class Model(torch.nn.Module):
    def forward(self, x):
        return x + 1

def get_inputs():
    return [torch.randn(rows, 3)]

def get_init_inputs():
    return []
"""

PIPELINE = """
schema: 1
summary: A pipeline with something wrong in it.
stages:
  - {stage}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one good problem in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.py").write_text(PROBLEM)
    (tmp_path / "no_model.py").write_text(PROBLEM.replace("class Model", "class Modell"))
    (tmp_path / "broken.py").write_text("def get_inputs(:\n")
    (tmp_path / "leaves.py").write_text(f"raise SystemExit(3)\n{PROBLEM}")
    (tmp_path / "many.py").write_text(PROBLEM.replace("[torch", "[1, torch"))
    (tmp_path / "broken.mlir").write_text("func.func @f(\n")
    (tmp_path / "two.mlir").write_text("func.func @f() { return }\nfunc.func @g() { return }")
    (tmp_path / "none.jsonl").touch()
    return tmp_path


def _refused(words: str, *, code: int = 2) -> str:
    """Run a command that must fail; return its one paragraph."""
    result: Result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1, "one paragraph"
    assert "Traceback" not in result.stderr
    return result.stderr.removeprefix("Error: ").rstrip("\n")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", ["compile", "explain", "inspect"])
class TestProblems:
    def test_missing_file(self, words: str) -> None:
        text = _refused(f"{words} absent.py")
        assert "absent.py" in text
        assert "No such file" in text or "does not exist" in text or "no such" in text.lower()

    def test_without_a_model(self, words: str) -> None:
        assert "does not define 'Model'" in _refused(f"{words} no_model.py")

    def test_not_python(self, words: str) -> None:
        assert "broken.py:1" in _refused(f"{words} broken.py")

    def test_that_ends_the_process(self, words: str) -> None:
        assert "leaves.py:1 (raise SystemExit(3))" in _refused(f"{words} leaves.py")

    def test_inputs_that_do_not_fit_the_model(self, words: str) -> None:
        text = _refused(f"{words} many.py", code=1)
        assert text.startswith("torch.export could not capture the model 'many'"), (
            "not a line of Python's"
        )

    def test_no_mlir(self, words: str) -> None:
        assert _refused(f"{words} broken.mlir").startswith("broken.mlir:1:14: ")

    def test_options_of_the_other_kind(self, words: str) -> None:
        assert "a problem's entry is its Model" in _refused(f"{words} good.py --entry main")
        assert "no module globals" in _refused(f"{words} two.mlir --set rows=2")

    def test_entry_that_is_not_clear(self, words: str) -> None:
        assert "got f, g" in _refused(f"{words} two.mlir")
        assert "unknown function 'h'; allowed: f, g" in _refused(f"{words} two.mlir --entry h")

    def test_override_given_twice(self, words: str) -> None:
        assert "'rows' is given twice" in _refused(f"{words} good.py --set rows=2 --set rows=3")

    def test_unknown_override(self, words: str) -> None:
        text = _refused(f"{words} good.py --set row=8")
        assert "'row'" in text
        assert "did you mean 'rows'" in text

    def test_override_that_is_none(self, words: str) -> None:
        assert "NAME=VALUE" in _refused(f"{words} good.py --set rows")

    def test_override_of_another_type(self, words: str) -> None:
        assert "rows" in _refused(f"{words} good.py --set rows=many")

    def test_unknown_dtype(self, words: str) -> None:
        text = _refused(f"{words} good.py --dtype f12")
        assert "'f12' is not one of" in text

    def test_unknown_option(self, words: str) -> None:
        assert "No such option '--treads'" in _refused(f"{words} good.py --treads 3")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("compile .", ".: cannot read the file; got Is a directory."),
        ("explain .", "cannot tell what the file is; got .; allowed: .py, .mlir."),
        ("inspect .", "cannot tell what the file is; got .; allowed: .py, .mlir."),
    ],
)
def test_folders(words: str, said: str) -> None:
    assert _refused(words) == said


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("absent.py", "absent.py"),
        ("good.py --set rows", "NAME=VALUE"),
        ("good.py --dtype f12", "'f12' is not one of"),
        ("good.py --treads 3", "No such option '--treads'"),
        ("good.py --against eagre", "did you mean 'eager'?"),
        ("good.py --resume", "--resume needs the --json FILE"),
        ("good.py --retry-failed --json -", "--retry-failed needs the --json FILE"),
        ("good.py --memory-limit much", "'much' is no size"),
    ],
)
def test_bench_refuses_before_it_runs(words: str, said: str) -> None:
    assert said in _refused(f"bench {words}")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("no_model.py", "does not define 'Model'"),
        ("broken.py", "broken.py:1"),
        ("good.py --set row=8", "did you mean 'rows'"),
    ],
)
def test_bench_has_a_row_for_a_problem_that_is_none(folder: Path, words: str, said: str) -> None:
    result = CliRunner().invoke(cli, ["bench", *words.split(), "--json", "out.jsonl"])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    (record,) = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert record["status"] == "import-failed"
    assert said in record["failure"]["message"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "words",
    [
        "bench good.py --target gpu",
        "compile good.py --target gpu",
        "target show gpu",
        "pipeline list --target gpu",
        "opt good.py --pipeline default --target gpu",
    ],
)
def test_unknown_target(words: str) -> None:
    text = _refused(words)
    assert "unknown target 'gpu'; allowed: cpu" in text


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "words", ["compile good.py --pipeline defalt", "pipeline show defalt", "pipeline check defalt"]
)
def test_unknown_pipeline(words: str) -> None:
    text = _refused(words)
    assert "unknown pipeline 'defalt'" in text
    assert "did you mean 'default'?" in text


@pytest.mark.parametrize(
    ("stage", "place", "said"),
    [
        ("pass: canonicalise", "mine.yaml:4:", "did you mean 'canonicalize'?"),
        ("{pass: canonicalize, options: {max-iteration: 3}}", "mine.yaml:4:", "max-iterations"),
        ("{pass: canonicalize, optoins: {}}", "mine.yaml:4:", "did you mean 'options'?"),
        ("schedule: outline-kernel", "mine.yaml:4:", "did you mean 'outline-kernels'?"),
        ("select: {by: [defaults]}", "mine.yaml:4:", "did you mean 'default'?"),
        ("include: common/normalize", "mine.yaml:4:", "did you mean 'common/normalise'?"),
        ("pass: ${nme}", "mine.yaml:4:", "unknown variable 'nme'"),
    ],
    ids=["pass", "option", "key", "schedule", "selector", "include", "variable"],
)
@pytest.mark.parametrize(
    "words",
    [
        "pipeline check mine.yaml",
        "compile good.py --pipeline mine.yaml",
        "bench good.py --pipeline mine.yaml",
    ],
)
def test_bad_pipeline_files(folder: Path, words: str, stage: str, place: str, said: str) -> None:
    (folder / "mine.yaml").write_text(PIPELINE.replace("{stage}", stage).lstrip())
    text = _refused(words)
    assert place in text
    assert said in text


@pytest.mark.parametrize("stage", ["pass: canonicalize", "include: common/bufferise-host"])
def test_a_pipeline_that_stops_too_early(folder: Path, stage: str) -> None:
    (folder / "mine.yaml").write_text(PIPELINE.replace("{stage}", stage).lstrip())
    text = _refused("compile good.py --pipeline mine.yaml", code=1)
    assert text.startswith("the pipeline leaves ops that are not in the LLVM dialect; got ")
    assert "func.func" in text


@pytest.mark.parametrize("words", ["compile good.py", "bench good.py"])
def test_bad_lock_files(folder: Path, words: str) -> None:
    assert "lock.yaml" in _refused(f"{words} --lock lock.yaml")
    (folder / "lock.yaml").write_text("schema: 1\nchoises: []\n")
    text = _refused(f"{words} --lock lock.yaml")
    assert "lock.yaml:2" in text
    assert "did you mean 'choices'?" in text
    (folder / "lock.yaml").write_text("schema: 1\ntarget: xegpu\nchoices: []\n")
    text = _refused(f"{words} --lock lock.yaml")
    assert text == "lock.yaml: the lock file is for another target; got xegpu; allowed: cpu."


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("kind", ["json", "html", "csv", "markdown"])
def test_bench_outputs_are_checked_first(kind: str) -> None:
    text = _refused(f"bench good.py --{kind} good.py/out", code=1)
    assert "good.py/out" in text


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("option", ["-o", "--write-lock"])
def test_compile_cannot_write(option: str) -> None:
    _refused(f"compile good.py {option} absent/out", code=2 if option == "--write-lock" else 1)


@pytest.mark.usefixtures("folder")
def test_a_cache_that_cannot_be_written() -> None:
    text = _refused("compile good.py --cache-dir good.py/cache", code=1)
    assert "good.py/cache" in text
    assert "reproducer" not in text  # it is not the pipeline's fault


@pytest.mark.parametrize("words", ["run absent.bellrock", "run good.py", "run ."])
@pytest.mark.usefixtures("folder")
def test_files_that_are_no_artifacts(words: str) -> None:
    assert _refused(words).startswith(words.split()[1])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", ["report absent.jsonl", "compare absent.jsonl absent.jsonl"])
def test_missing_records(words: str) -> None:
    assert "absent.jsonl" in _refused(words)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("report none.jsonl", "none.jsonl: no record in it"),
        ("compare none.jsonl none.jsonl", "no problem is in both files; got none before"),
    ],
)
def test_nothing_to_show(words: str, said: str) -> None:
    assert _refused(words).startswith(said)


def test_no_record(folder: Path) -> None:
    (folder / "records.jsonl").write_text('{"schema": 99}\n')
    assert "records.jsonl:1" in _refused("report records.jsonl")


def test_a_full_disk_on_standard_output() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("this system has no device that is always full")
    with full.open("wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "bellrock", "target", "list"],
            stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
            env=dict(os.environ),
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No space left on device; free some space")
    assert "Traceback" not in done.stderr
