"""`bellrock opt`: text in, text out."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bellrock.cli.main import cli
from bellrock.payload import generate

TWICE = """\
func.func @main(%a: i32) -> i32 {
  %0 = arith.addi %a, %a : i32
  %1 = arith.addi %a, %a : i32
  %2 = arith.muli %0, %1 : i32
  return %2 : i32
}
"""
ONCE = """\
module {
  func.func @main(%arg0: i32) -> i32 {
    %0 = arith.addi %arg0, %arg0 : i32
    %1 = arith.muli %0, %0 : i32
    return %1 : i32
  }
}
"""
MINE = """\
schema: 1
summary: Mine.
stages:
  - pass: cse
  - pass: convert-arith-to-llvm
    on: func.func
    name: llvm
"""
FAILS = """\
schema: 1
summary: Fails.
stages:
  - pass: cse
  - transform: t.mlir
    sequence: go
"""
SEQUENCE = """\
module attributes {transform.with_named_sequence} {
  transform.named_sequence @go(%m: !transform.any_op {transform.readonly}) {
    %0 = transform.structured.match ops{["func.func"]} in %m
      : (!transform.any_op) -> !transform.any_op
    %1 = transform.get_parent_op %0 {op_name = "scf.for"}
      : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twice.mlir").write_text(TWICE)
    (tmp_path / "mine.yaml").write_text(MINE)
    (tmp_path / "fails.yaml").write_text(FAILS)
    (tmp_path / "t.mlir").write_text(SEQUENCE)
    return tmp_path


def run(words: str, *, code: int = 0, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(cli, ["opt", *words.split()], input=stdin)
    assert result.exit_code == code, result.output
    return result


def test_a_file_in_text_out() -> None:
    result = run("twice.mlir --pipeline mine.yaml --stop-after pass-cse")
    assert result.stdout == ONCE
    assert result.stderr == ""


@pytest.mark.parametrize("words", ["", "-"])
def test_standard_input(words: str) -> None:
    result = run(f"{words} --pipeline mine.yaml --stop-after pass-cse", stdin=TWICE)
    assert result.stdout == ONCE


def test_output_to_a_file(folder: Path) -> None:
    result = run("twice.mlir --pipeline mine.yaml --stop-after pass-cse -o once.mlir")
    assert result.stdout == ""
    assert (folder / "once.mlir").read_text() == ONCE


def test_print_after_goes_to_standard_error() -> None:
    result = run("twice.mlir --pipeline mine.yaml --print-after pass-cse -o out.mlir")
    assert result.stderr == f"// ----- after pass-cse -----\n{ONCE}\n"
    assert result.stdout == ""
    both = run("twice.mlir --pipeline mine.yaml --print-after all -o out.mlir").stderr
    assert both.count("// ----- after ") == 2


def test_resuming_from_a_dump_gives_the_same() -> None:
    whole = run("twice.mlir --pipeline mine.yaml --dump-dir dump").stdout
    assert "llvm.mul" in whole
    names = sorted(path.name for path in Path("dump").iterdir())
    assert names == ["00-input.mlir", "01-pass-cse.mlir", "02-llvm.mlir"]
    assert run("dump/01-pass-cse.mlir --pipeline mine.yaml --from-stage llvm").stdout == whole
    assert Path("dump/02-llvm.mlir").read_text() == whole


def test_the_default_pipeline_can_be_resumed_at_any_phase(folder: Path) -> None:
    (folder / "mm.mlir").write_text(generate.matmul(5, 7, 3))
    whole = run("mm.mlir --pipeline default --dump-dir dump").stdout
    assert "llvm.func @main" in whole
    selected = next(Path("dump").glob("*-select.mlir"))
    following = sorted(path for path in Path("dump").glob("*.mlir") if path > selected)[0]
    stage = following.stem.partition("-")[2]
    assert run(f"{selected} --pipeline default --from-stage {stage}").stdout == whole


def test_a_failure_leaves_a_reproducer_whose_command_shows_it_again(folder: Path) -> None:
    words = "twice.mlir --pipeline fails.yaml --reproducer-dir kept"
    first = run(words, code=1).stderr
    assert first.startswith("Error: fails.yaml:5:5: the stage 'transform-go' failed; got ")
    assert "could not find a parent op that matches all requirements" in first
    (kept,) = Path("kept").iterdir()
    command = next(
        line for line in (kept / "README").read_text().splitlines() if "bellrock opt" in line
    )
    arguments = command.split()[2:]
    again = CliRunner().invoke(
        cli,
        [
            "opt",
            *(str(kept / a) if (kept / a).is_file() else a for a in arguments),
            "--reproducer-dir",
            str(folder / "again"),
        ],
    )
    assert again.exit_code == 1
    assert "the stage 'transform-go' failed" in again.stderr
    assert "could not find a parent op" in again.stderr


@pytest.mark.parametrize(
    ("words", "stdin", "code", "message"),
    [
        (
            "twice.mlir --pipeline mine.yaml --from-stage lvm",
            None,
            2,
            "Error: --from-stage: unknown stage 'lvm'; allowed: llvm, pass-cse; "
            "did you mean 'llvm'?\n",
        ),
        (
            "--pipeline mine.yaml",
            "func.func @f() {\n  func.retrun\n}\n",
            2,
            "Error: <stdin>:2:3: the text is not valid MLIR; got custom op 'func.retrun' is "
            "unknown.\n",
        ),
        (
            "gone.mlir --pipeline mine.yaml",
            None,
            2,
            "Error: gone.mlir: cannot read the file; got No such file or directory.\n",
        ),
        (
            "twice.mlir --pipeline mine.yaml -o gone/out.mlir",
            None,
            1,
            "Error: gone/out.mlir: No such file or directory; check the path.\n",
        ),
        (
            "twice.mlir --pipeline mine.yaml --dump-dir twice.mlir",
            None,
            2,
            "Error: twice.mlir/00-input.mlir: cannot write the dump; got File exists; "
            "name another --dump-dir.\n",
        ),
        (
            "twice.mlir",
            None,
            2,
            "Error: Missing option '--pipeline'. See 'bellrock opt --help'.\n",
        ),
    ],
)
def test_refused(words: str, stdin: str | None, code: int, message: str) -> None:
    result = run(words, code=code, stdin=stdin)
    assert result.stdout == ""
    assert result.stderr.replace("cli opt", "bellrock opt") == message


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "twice.mlir").write_bytes(b"MLIR\xff\xfe")
    assert run("twice.mlir --pipeline mine.yaml", code=2).stderr == (
        "Error: twice.mlir: the file is not UTF-8 text; got invalid start byte; "
        "give MLIR as text.\n"
    )
