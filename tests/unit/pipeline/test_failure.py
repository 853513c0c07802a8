"""A failing stage: the message, the reproducer folder, and that it shows the failure again."""

from __future__ import annotations

import os
import pickle
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch_mlir import ir

from bellrock.errors import StageError
from bellrock.pipeline import failure
from bellrock.pipeline.context import new_context
from bellrock.pipeline.driver import run_pipeline
from bellrock.pipeline.environment import Environment, Snapshots
from bellrock.pipeline.failure import StageFailedError
from bellrock.pipeline.load import load_pipeline
from bellrock.pipeline.stage import Pipeline, SelectStage

# `one-shot-bufferize` refuses ops that it does not know
PAYLOAD = """
func.func @main(%a: tensor<64xf32>) -> tensor<64xf32> {
  %c = arith.constant dense<"0xVALUES"> : tensor<64xf32>
  %0 = arith.addf %a, %c : tensor<64xf32>
  %1 = arith.addf %a, %c : tensor<64xf32>
  return %0 : tensor<64xf32>
}
""".replace("VALUES", "".join(f"0000{i:02X}3F" for i in range(64)))
STAGES = """\
schema: 1
summary: Fails in the middle.
stages:
  - pass: cse
  - when: {feature: avx}
    then:
      - pass: one-shot-bufferize
        name: bufferise
  - transform: t.mlir
    sequence: go
  - pass: canonicalize
"""
SEQUENCE = """
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
def context() -> Iterator[ir.Context]:
    with new_context() as context:
        yield context


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    (tmp_path / "t.mlir").write_text(SEQUENCE)
    (tmp_path / "p.yaml").write_text(STAGES)
    return load_pipeline(tmp_path / "p.yaml")


def _fail(
    pipeline: Pipeline, folder: Path, *, features: frozenset[str] = frozenset({"avx"}), **more
) -> StageFailedError:
    environment = Environment(features=features, snapshots=Snapshots(reproducer_dir=folder), **more)
    with pytest.raises(StageFailedError) as caught:
        run_pipeline(pipeline, ir.Module.parse(PAYLOAD), environment)
    return caught.value


def test_the_message_names_stage_place_diagnostic_and_reproducer(pipeline, tmp_path) -> None:
    error = _fail(pipeline, tmp_path / "r")
    assert isinstance(error, StageError)
    assert error.stage == "bufferise"
    assert error.exit_code == 1
    (folder,) = (tmp_path / "r").iterdir()
    assert error.reproducer == folder
    assert re.fullmatch(r"p-bufferise-\w{8}", folder.name)
    assert str(error) == (
        f"{tmp_path}/p.yaml:7:9: the stage 'bufferise' failed; got error: \"-\":4:8: op was not "
        f"bufferized; the reproducer {folder} has a README that shows it again."
    )


def test_the_reproducer_is_complete(pipeline, tmp_path) -> None:
    error = _fail(pipeline, tmp_path / "r", target="cpu", lock="schema: 1\nrows: []\n")
    folder = error.reproducer
    assert folder is not None
    assert sorted(path.name for path in folder.iterdir()) == [
        "README",
        "before.mlir",
        "error.txt",
        "lock.yaml",
        "stage.yaml",
        "transform-go.mlir",
    ]
    before = (folder / "before.mlir").read_text()
    assert before.count("arith.addf") == 1, "as cse left it"
    assert "elided" not in before
    assert (folder / "lock.yaml").read_text() == "schema: 1\nrows: []\n"
    assert (folder / "stage.yaml").read_text() == (
        "schema: 1\n"
        f"summary: What was left of {tmp_path}/p.yaml.\n"
        "stages:\n"
        "  - pass: one-shot-bufferize\n"
        "    name: bufferise\n"
        "  - transform: transform-go.mlir\n"
        "    sequence: go\n"
        "  - pass: canonicalize\n"
    )
    assert (folder / "README").read_text() == (
        f"The stage 'bufferise' of the pipeline '{tmp_path}/p.yaml' failed. To see it again:\n\n"
        f"    cd {folder}\n"
        "    bellrock opt before.mlir --pipeline stage.yaml --stop-after bufferise --target cpu "
        "--lock lock.yaml\n\n"
        "before.mlir  the module before the stage\n"
        "stage.yaml   the stage, and those after it\n"
        "error.txt    all diagnostics\n"
    )
    whole = (folder / "error.txt").read_text()
    assert "op was not bufferized" in whole
    assert "Traceback" in whole
    assert error.diagnostics.strip() == whole.strip()


def test_the_reproducer_fails_again_in_the_same_way(pipeline, tmp_path) -> None:
    first = _fail(pipeline, tmp_path / "r")
    assert first.reproducer is not None
    again = load_pipeline(first.reproducer / "stage.yaml")
    module = ir.Module.parse((first.reproducer / "before.mlir").read_text())
    environment = Environment(snapshots=Snapshots(reproducer_dir=tmp_path / "again"))
    with pytest.raises(StageFailedError) as caught:
        run_pipeline(again, module, environment)
    assert caught.value.stage == "bufferise"
    assert str(caught.value.got).endswith("op was not bufferized")


def test_a_transform_that_fails_is_shown_with_its_target(pipeline, tmp_path) -> None:
    error = _fail(pipeline, tmp_path / "r", features=frozenset())
    assert error.stage == "transform-go"
    assert "could not find a parent op that matches all requirements" in str(error)


def test_a_module_that_does_not_verify_is_the_stages_fault(tmp_path) -> None:
    def select(module: ir.Module, stage: SelectStage) -> None:
        function = module.body.operations[0]
        function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get([], []))

    (tmp_path / "p.yaml").write_text(
        "schema: 1\nsummary: S.\nstages:\n  - select: {by: [a]}\n  - pass: cse\n"
    )
    pipeline = load_pipeline(tmp_path / "p.yaml", selectors=["a"])
    error = _fail(pipeline, tmp_path / "r", select=select)
    assert error.stage == "select"
    assert "entry block must have 0 arguments to match function signature" in str(error)
    assert error.reproducer is not None
    before = ir.Module.parse((error.reproducer / "before.mlir").read_text())
    assert before.operation.verify()


def test_any_exception_of_a_callback_is_reported(tmp_path) -> None:
    def select(module: ir.Module, stage: SelectStage) -> None:
        raise ZeroDivisionError("no tiles at all")

    (tmp_path / "p.yaml").write_text("schema: 1\nsummary: S.\nstages: [{select: {by: [a]}}]\n")
    pipeline = load_pipeline(tmp_path / "p.yaml", selectors=["a"])
    error = _fail(pipeline, tmp_path / "r", select=select)
    assert "got ZeroDivisionError: no tiles at all; " in str(error)
    assert "in select" in error.diagnostics


def test_an_inner_failure_keeps_its_own_reproducer(tmp_path) -> None:
    (tmp_path / "p.yaml").write_text(
        "schema: 1\nsummary: S.\nstages: [{kernels: [{pass: one-shot-bufferize}]}]\n"
    )
    pipeline = load_pipeline(tmp_path / "p.yaml")
    snapshots = Snapshots(reproducer_dir=tmp_path / "r")

    def kernels(module: ir.Module, stages) -> None:
        inner = Pipeline(name="kernel", summary="-", stages=stages)
        run_pipeline(inner, module, Environment(snapshots=snapshots))

    error = _fail(pipeline, tmp_path / "r", kernels=kernels)
    assert error.stage == "pass-one-shot-bufferize"
    assert len(list((tmp_path / "r").iterdir())) == 1


def test_a_folder_that_cannot_be_written_does_not_hide_the_failure(pipeline, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    error = _fail(pipeline, tmp_path / "file")
    assert error.reproducer is None
    assert str(error).endswith(
        f"op was not bufferized; no reproducer: {tmp_path}/file cannot be written (File exists)."
    )


def test_the_default_place_is_the_users_cache(pipeline, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    environment = Environment(features=frozenset({"avx"}))
    with pytest.raises(StageFailedError) as caught:
        run_pipeline(pipeline, ir.Module.parse(PAYLOAD), environment)
    assert caught.value.reproducer is not None
    assert caught.value.reproducer.parent == tmp_path / "cache" / "bellrock" / "reproducers"


def test_the_users_cache_keeps_the_newest_only(pipeline, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(failure, "KEPT", 2)
    kept: list[Path | None] = []
    for age in (300, 200, 100):
        environment = Environment(features=frozenset({"avx"}))
        with pytest.raises(StageFailedError) as caught:
            run_pipeline(pipeline, ir.Module.parse(PAYLOAD), environment)
        kept.append(caught.value.reproducer)
        assert caught.value.reproducer is not None
        then = time.time() - age
        os.utime(caught.value.reproducer, (then, then))
    there = sorted((tmp_path / "cache" / "bellrock" / "reproducers").iterdir())
    assert there == sorted(folder for folder in kept[1:] if folder is not None)


def test_nothing_is_printed_by_mlir(pipeline, tmp_path, capfd) -> None:
    _fail(pipeline, tmp_path / "r")
    assert capfd.readouterr() == ("", "")


def test_the_error_crosses_processes(pipeline, tmp_path) -> None:
    error = _fail(pipeline, tmp_path / "r")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is StageFailedError
    assert str(copy) == str(error)
    assert (copy.stage, copy.reproducer, copy.diagnostics) == (
        error.stage,
        error.reproducer,
        error.diagnostics,
    )
