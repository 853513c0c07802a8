"""Runs every `.mlir` below this folder through the schedules of its first line.

// SCHEDULES: fill-splats, generalize      transform, then match the CHECK lines
// SCHEDULES: expand-math(scales=1)        the same with an option, a whole number
// REJECT: tile-kernels                    the first must fail; CHECK lines match the message
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from torch_mlir import ir
from torch_mlir.dialects.transform import interpreter

from bellrock.dialects import register
from bellrock.schedule import schedule_text

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("*.mlir"))


def transformed(text: str, names: str) -> str:
    """Return a module after schedules have been applied to it."""
    context = ir.Context()
    register(context)
    with context, ir.Location.unknown(context):
        module = ir.Module.parse(text)
        for name in names.split(","):
            schedule = ir.Module.parse(schedule_text(*called(name.strip())))
            sequence = schedule.body.operations[0].operation
            interpreter.apply_named_sequence(module.operation, sequence, schedule)
        assert module.operation.verify()
        return str(module)


def called(text: str) -> tuple[str, dict[str, object]]:
    """Return the name and the options of a schedule as the first line has it."""
    name, _, given = text.removesuffix(")").partition("(")
    pairs = (pair.split("=") for pair in given.split() if pair)
    return name, {key: int(value) for key, value in pairs}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(HERE).as_posix())
def test_file(path: Path) -> None:
    text = path.read_text()
    kind, _, names = text.splitlines()[0].removeprefix("// ").partition(":")
    if kind == "REJECT":
        with pytest.raises(Exception, match=r"\S") as caught:  # MLIR's errors have no common type
            transformed(text, names)
        output = str(caught.value)
    else:
        assert kind == "SCHEDULES"
        output = transformed(text, names)
    checked = subprocess.run(
        [sys.executable, "-m", "filecheck", str(path)], input=output, capture_output=True, text=True
    )
    assert checked.returncode == 0, f"{checked.stdout}{checked.stderr}\noutput:\n{output}"


def test_a_wrong_check_fails(tmp_path: Path) -> None:
    file = tmp_path / "wrong.mlir"
    file.write_text("// CHECK: linalg.matmul\n")
    checked = subprocess.run(
        [sys.executable, "-m", "filecheck", str(file)],
        input=io.StringIO("module {}").read(), capture_output=True, text=True,
    )  # fmt: skip
    assert checked.returncode != 0
