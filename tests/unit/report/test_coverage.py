"""The coverage map: columns of a pipeline, marks of a record, and the op that is named."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from bellrock.bench.record import ChoiceRow, FailureInfo, ProblemInfo, Record, Status, TargetInfo
from bellrock.compiler import pipeline_for
from bellrock.pipeline.stage import GroupStage, KernelsStage, PassStage, Pipeline, SelectStage
from bellrock.report.coverage import Coverage, Mark, Plan, coverage, first_op, plan_of
from bellrock.report.coverage_text import render, to_json, to_markdown

CLEAN = PassStage(name="pass-cse", pass_name="cse")
PIPELINE = Pipeline(
    name="test", summary="",
    stages=(
        GroupStage(name="common/normalise", source="common/normalise", stages=(
            PassStage(name="pass-canonicalize", pass_name="canonicalize"),)),
        CLEAN,
        SelectStage(name="select", motifs=None, by=("default",)),
        KernelsStage(name="kernels", stages=(
            GroupStage(name="inner", source="inner", stages=(
                PassStage(name="pass-convert-to-llvm", pass_name="convert-to-llvm"),)),)),
    ),
)  # fmt: skip
PLAN = plan_of(PIPELINE, verified=True)
COLUMNS = ("import", "normalise", "select", "kernels", "code", "run", "verify")


def record(
    status: Status = Status.OK, *, stage: str = "", message: str = "", tail: str = ""
) -> Record:
    failure = None
    if stage:
        failure = FailureInfo(stage=stage, exception="E", message=message, stderr_tail=tail)
    return Record(
        problem=ProblemInfo(name=f"{status}-{stage}", source="p.py", sha256=""),
        target=TargetInfo(name="xegpu", device="a device"), dtype="f32", seed=0, threads=1,
        status=status, failure=failure, check_only=True, wall_seconds=1.5,
        choices=(ChoiceRow(motif="m", by="default", knobs="simt"),) * 2,
    )  # fmt: skip


def found(*records: Record, plan: Plan = PLAN) -> Coverage:
    return coverage(records, plan, target="xegpu", dtype="f32")


def failed_in(one: Record, plan: Plan = PLAN) -> str:
    (row,) = found(one, plan=plan).rows
    assert row.marks.count(Mark.FAILED) == 1
    return plan.columns[row.marks.index(Mark.FAILED)]


def test_columns_are_the_entries_of_the_pipeline() -> None:
    assert PLAN.columns == COLUMNS
    assert plan_of(PIPELINE, verified=False).columns == COLUMNS[:-2]


@pytest.mark.parametrize("target", ["cpu", "xegpu"])
def test_every_stage_of_a_target_has_a_column(target: str) -> None:
    pipeline = pipeline_for(target)
    plan = plan_of(pipeline, verified=True)
    assert {"select", "kernels"} < set(plan.columns)
    assert len(plan.columns) == len(set(plan.columns))
    assert len(plan.column_of) > 40
    assert set(plan.column_of.values()) == set(plan.columns[1:-3])


@pytest.mark.parametrize(
    ("status", "stage", "column"),
    [
        (Status.IMPORT_FAILED, "load", "import"),
        (Status.IMPORT_FAILED, "compile", "import"),
        (Status.COMPILE_FAILED, "pass-canonicalize", "normalise"),
        (Status.COMPILE_FAILED, "pass-cse", "normalise"),
        (Status.COMPILE_FAILED, "select", "select"),
        (Status.COMPILE_FAILED, "pass-convert-to-llvm", "kernels"),
        (Status.COMPILE_FAILED, "compile", "code"),
        (Status.CRASHED, "compile", "code"),
        (Status.RUN_FAILED, "run", "run"),
        (Status.TIMEOUT, "verify", "verify"),
        (Status.WRONG, "verify", "verify"),
    ],
)
def test_a_failure_is_in_the_column_of_its_stage(status: Status, stage: str, column: str) -> None:
    one = record(status, stage=stage)
    assert failed_in(one) == column
    (row,) = found(one).rows
    at = COLUMNS.index(column)
    blind = status is Status.CRASHED
    assert set(row.marks[:at]) <= {Mark.UNKNOWN if blind else Mark.PASSED}
    assert set(row.marks[at + 1 :]) <= {Mark.NOT_REACHED}


def test_what_only_runs_could_show_counts_for_the_last_column() -> None:
    assert failed_in(record(Status.RUN_FAILED, stage="run"), plan_of(PIPELINE, verified=False)) == (
        "code"
    )


@pytest.mark.parametrize(
    ("message", "tail", "op"),
    [
        ("the stage failed; got error: failed to legalize operation 'math.erf' that was explicitly "
         "marked illegal: %1 = \"math.erf\"", "", "math.erf"),
        ("the stage 'pass-x' failed", "error: 'vector.contract' op wants more", "vector.contract"),
        ("unsupported: torch.aten.fft_rfft.default", "", "torch.aten.fft_rfft.default"),
        ("no lowering for aten::_foobar", "", "aten::_foobar"),
        ("nothing is named", "Traceback", ""),
    ],
)  # fmt: skip
def test_the_first_failing_op_is_read_off_the_message(message: str, tail: str, op: str) -> None:
    failure = FailureInfo(stage="s", exception="E", message=message, stderr_tail=tail)
    assert first_op(failure) == op


def test_a_kernel_is_named_by_what_it_computes() -> None:
    failure = FailureInfo(
        stage="pass-convert-to-llvm", exception="StageFailedError",
        message="x.yaml:3:1: the stage 'pass-convert-to-llvm' failed; got no such thing; "
        "the reproducer /r has a README",
        reproducer="/r/k_reduction_0a1b2c-pass-convert-to-llvm-abcd",
    )  # fmt: skip
    one = record(Status.COMPILE_FAILED, stage="x").model_copy(update={"failure": failure})
    (row,) = found(one).rows
    assert row.why == "reduction kernel: no such thing"


MAP = found(
    record(),
    record(Status.COMPILE_FAILED, stage="pass-convert-to-llvm",
           message="failed to legalize operation 'math.erf' here"),
    record(Status.WRONG, stage="verify", message="off by 3 | in all"),
)  # fmt: skip


def test_a_map_counts_what_passed_and_what_stops_it() -> None:
    assert MAP.passed == (3, 3, 3, 2, 2, 2, 1)
    assert MAP.complete == 1
    assert MAP.culprits == (("kernels", "math.erf", 1), ("verify", "off by 3 | in all", 1))
    assert MAP.rows[0].ways == {"simt": 2}


def test_the_same_map_in_all_forms() -> None:
    data = json.loads(to_json(MAP))
    assert data["columns"] == list(COLUMNS)
    assert [p["op"] for p in data["problems"]] == ["", "math.erf", ""]
    assert data["problems"][1]["marks"]["kernels"] == "failed"
    markdown = to_markdown(MAP)
    assert "| kernels | 2/3 |" in markdown
    assert "off by 3 \\| in all" in markdown
    console = Console(width=120, record=True)
    console.print(render(MAP, every=False))
    text = console.export_text()
    assert "+++X..." in text
    assert "kernels (pass-convert-to-llvm)" in text
    assert "1 of 3 problems come through on xegpu (a device), f32" in text
    assert "ok-" not in text
