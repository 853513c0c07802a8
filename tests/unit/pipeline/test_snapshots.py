"""Printing, dumping and resuming."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch_mlir import ir

from bellrock.errors import UsageError
from bellrock.pipeline.context import new_context
from bellrock.pipeline.driver import run_pipeline
from bellrock.pipeline.environment import Environment, Snapshots
from bellrock.pipeline.stage import GroupStage, PassStage, Pipeline, Stage

VALUES = ", ".join(f"{value}.5" for value in range(40))
PAYLOAD = f"""
func.func @main(%a: tensor<40xf32>) -> tensor<40xf32> {{
  %c = arith.constant dense<[{VALUES}]> : tensor<40xf32>
  %0 = arith.addf %a, %c : tensor<40xf32>
  %1 = arith.addf %a, %c : tensor<40xf32>
  %2 = arith.mulf %0, %1 : tensor<40xf32>
  return %2 : tensor<40xf32>
}}
"""
STAGES: tuple[Stage, ...] = (
    PassStage(name="first", pass_name="cse"),
    GroupStage(
        name="group/inner",
        source="group/inner",
        stages=(
            PassStage(
                name="second", pass_name="convert-elementwise-to-linalg", on=("builtin.module",)
            ),
            PassStage(
                name="third", pass_name="linalg-fuse-elementwise-ops", on=("builtin.module",)
            ),
        ),
    ),
    PassStage(name="fourth", pass_name="canonicalize"),
)


@pytest.fixture(autouse=True)
def context() -> Iterator[ir.Context]:
    with new_context() as context:
        yield context


def _run(text: str, snapshots: Snapshots) -> str:
    module = ir.Module.parse(text)
    pipeline = Pipeline(name="p", summary="-", stages=STAGES)
    run_pipeline(pipeline, module, Environment(snapshots=snapshots))
    return str(module)


def test_print_after_names_its_stage_and_elides_large_constants() -> None:
    stream = io.StringIO()
    _run(PAYLOAD, Snapshots(print_after=frozenset({"first"}), stream=stream))
    text = stream.getvalue()
    assert text.startswith("// ----- after first -----\nmodule {\n")
    assert text.count("// -----") == 1
    assert text.count("arith.addf") == 1, "after cse"
    assert "dense_resource<__elided__>" in text
    assert len(text) < 600


def test_print_after_a_group_is_after_its_last_stage() -> None:
    stream = io.StringIO()
    _run(PAYLOAD, Snapshots(print_after=frozenset({"group/inner"}), stream=stream))
    assert stream.getvalue().startswith("// ----- after third -----\n")


def test_print_after_all() -> None:
    stream = io.StringIO()
    _run(PAYLOAD, Snapshots(print_after="all", stream=stream))
    titles = [line for line in stream.getvalue().splitlines() if line.startswith("// -----")]
    assert titles == [f"// ----- after {n} -----" for n in ("first", "second", "third", "fourth")]


def test_what_is_printed_of_a_kernel_names_the_kernel() -> None:
    stream = io.StringIO()
    _run(PAYLOAD, Snapshots(print_after="all", stream=stream).within(STAGES, folder="kernel_0"))
    assert stream.getvalue().startswith("// ----- after first of kernel_0 -----\n")


def test_a_dump_is_one_numbered_file_a_stage_with_whole_constants(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "dump"
    _run(PAYLOAD, Snapshots(dump_dir=folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        "00-input.mlir",
        "01-first.mlir",
        "02-second.mlir",
        "03-third.mlir",
        "04-fourth.mlir",
    ]
    for path in folder.iterdir():
        text = path.read_text()
        assert "elided" not in text
        ir.Module.parse(text).operation.verify()


@pytest.mark.parametrize(
    ("dump", "stage"), [("00-input", "first"), ("01-first", "second"), ("02-second", "third")]
)
def test_a_run_resumed_from_a_dump_ends_the_same(tmp_path: Path, dump: str, stage: str) -> None:
    whole = _run(PAYLOAD, Snapshots(dump_dir=tmp_path / "all"))
    text = (tmp_path / "all" / f"{dump}.mlir").read_text()
    assert _run(text, Snapshots(from_stage=stage, dump_dir=tmp_path / "rest")) == whole
    rest = {path.name: path.read_text() for path in (tmp_path / "rest").iterdir()}
    skipped = int(dump[:2]) + 1
    expected = sorted((tmp_path / "all").iterdir())[skipped if skipped > 1 else 0 :]
    assert rest == {path.name: path.read_text() for path in expected}


def test_dense_resources_survive_a_dump(tmp_path: Path) -> None:
    data = "0x04000000" + "0000803F" * 40
    text = (
        "func.func @f() -> tensor<40xf32> {\n"
        "  %c = arith.constant dense_resource<w> : tensor<40xf32>\n"
        "  return %c : tensor<40xf32>\n}\n"
        '{-# dialect_resources: { builtin: { w: "' + data + '" } } #-}\n'
    )
    _run(text, Snapshots(dump_dir=tmp_path, stop_after="first"))
    assert data in (tmp_path / "01-first.mlir").read_text()


def test_an_unwritable_dump_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        _run(PAYLOAD, Snapshots(dump_dir=tmp_path / "file" / "below"))
    path = tmp_path / "file" / "below" / "00-input.mlir"
    assert str(caught.value) == (
        f"{path}: cannot write the dump; got Not a directory; name another --dump-dir."
    )


def test_snapshots_within_a_kernel(tmp_path: Path) -> None:
    inner = (PassStage(name="a", pass_name="cse"), PassStage(name="b", pass_name="cse"))
    outer = Snapshots(
        print_after=frozenset({"a", "first"}),
        dump_dir=tmp_path,
        from_stage="first",
        stop_after="fourth",
        reproducer_dir=tmp_path / "r",
    )
    assert outer.within(inner, folder="kernel_0") == Snapshots(
        print_after=frozenset({"a"}),
        dump_dir=tmp_path / "kernel_0",
        reproducer_dir=tmp_path / "r",
        label="kernel_0",
    )
    assert Snapshots(print_after="all").within(inner, folder="k").print_after == "all"
