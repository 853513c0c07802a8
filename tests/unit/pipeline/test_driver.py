"""The driver on tiny modules and real passes: order, conditions, names, times, callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from torch_mlir import ir

from bellrock.errors import SelectionError, UnknownNameError, UsageError
from bellrock.pipeline.context import new_context
from bellrock.pipeline.driver import PipelineResult, run_pipeline
from bellrock.pipeline.environment import Environment, Snapshots
from bellrock.pipeline.load import load_pipeline
from bellrock.pipeline.stage import OptionValue, Pipeline, SelectStage, Stage

PAYLOAD = """
func.func @main(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = arith.addf %a, %b : tensor<4x4xf32>
  %1 = arith.addf %a, %b : tensor<4x4xf32>
  %2 = arith.mulf %0, %1 : tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}
"""
SCHEDULE = """
module attributes {transform.with_named_sequence} {
  transform.named_sequence @other(%m: !transform.any_op {transform.readonly}) {
    transform.yield
  }
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %f = transform.structured.match ops{["func.func"]} in %m
      : (!transform.any_op) -> !transform.any_op
    %v = transform.param.constant 7 : i64 -> !transform.any_param
    transform.annotate %f "seen" = %v : !transform.any_op, !transform.any_param
    transform.yield
  }
}
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Pipeline]:
    def load_stages(
        stages: str, *, schedules: Sequence[str] = (), selectors: Sequence[str] = ()
    ) -> Pipeline:
        path = tmp_path / "p.yaml"
        path.write_text(f"schema: 1\nsummary: Test.\nstages:\n{stages}")
        return load_pipeline(path, schedules=schedules, selectors=selectors)

    return load_stages


@pytest.fixture
def module() -> Iterator[ir.Module]:
    with new_context():
        yield ir.Module.parse(PAYLOAD)


def _names(result: PipelineResult) -> list[str]:
    return [stage.name for stage in result.stages]


def test_passes_run_in_order_on_their_anchors(load, module) -> None:
    pipeline = load(
        "  - {pass: cse, on: func.func}\n"
        "  - {pass: convert-elementwise-to-linalg, on: func.func}\n"
        "  - {pass: linalg-fuse-elementwise-ops, on: func.func}\n"
        "  - pass: cse\n"
    )
    result = run_pipeline(pipeline, module, Environment())
    assert _names(result) == [
        "pass-cse",
        "pass-convert-elementwise-to-linalg",
        "pass-linalg-fuse-elementwise-ops",
        "pass-cse-2",
    ]
    assert all(0 < stage.seconds < 60 for stage in result.stages)
    text = str(module)
    assert text.count("linalg.generic") == 1
    assert text.count("arith.addf") == 1


def test_options_reach_the_pass(load, module) -> None:
    options = "{category-to-generic: true}"
    pipeline = load(
        "  - {pass: convert-elementwise-to-linalg, on: func.func}\n"
        f"  - {{pass: linalg-morph-ops, on: func.func, options: {options}}}\n"
    )
    run_pipeline(pipeline, module, Environment())
    assert "linalg.generic" in str(module)


@pytest.mark.parametrize(
    ("features", "runs"), [({"avx"}, ["select", "pass-cse"]), (set(), ["pass-canonicalize"])]
)
def test_features_decide_conditions(load, module, features, runs) -> None:
    pipeline = load(
        "  - when: {feature: avx}\n"
        "    then: [{select: {by: [lock]}}, {pass: cse}]\n"
        "    else: [{pass: canonicalize}]\n",
        selectors=["lock"],
    )
    environment = Environment(features=frozenset(features), select=lambda module, stage: None)
    assert _names(run_pipeline(pipeline, module, environment)) == runs


@pytest.mark.parametrize(
    ("attributes", "runs"),
    [
        ('{bellrock.anchor, bellrock.choice = {by = "t", knobs = "rows"}}', "pass-cse"),
        ('{bellrock.anchor, bellrock.choice = {by = "t", knobs = "blocks"}}', "pass-canonicalize"),
        ('{bellrock.choice = {by = "t", knobs = "blocks"}}', "pass-symbol-dce"),
        ("{}", "pass-symbol-dce"),
    ],
    ids=["first", "other", "not-the-anchor", "no-choice"],
)
def test_the_choice_of_the_anchor_decides_conditions(load, attributes, runs) -> None:
    pipeline = load(
        "  - when: {choice: [rows, columns]}\n"
        "    then: [{pass: cse}]\n"
        "    else: [{when: {choice: blocks}, then: [{pass: canonicalize}]}]\n"
        "  - when: {choice: none}\n"
        "    then: [{pass: symbol-dce}]\n"
    )
    text = PAYLOAD.replace("mulf %0, %1", f"mulf %0, %1 {attributes}")
    with new_context():
        result = run_pipeline(pipeline, ir.Module.parse(text), Environment())
    assert _names(result) == [runs]


def test_select_writes_on_the_payload(load, module) -> None:
    asked: list[SelectStage] = []

    def select(payload: ir.Module, stage: SelectStage) -> None:
        asked.append(stage)
        payload.operation.attributes["bellrock.chosen"] = ir.UnitAttr.get()

    pipeline = load("  - select: {motifs: [contraction], by: [lock, x]}\n", selectors=["lock", "x"])
    run_pipeline(pipeline, module, Environment(select=select))
    assert (asked[0].motifs, asked[0].by) == (("contraction",), ("lock", "x"))
    assert "bellrock.chosen" in module.operation.attributes


def test_a_schedule_gets_its_options_and_its_main_sequence_runs(load, module) -> None:
    asked: list[tuple[str, Mapping[str, OptionValue], ir.Context]] = []

    def schedule(name: str, options: Mapping[str, OptionValue], context: ir.Context) -> str:
        asked.append((name, options, context))
        return SCHEDULE

    pipeline = load("  - schedule: {name: mark, options: {a: [1, 2]}}\n", schedules=["mark"])
    run_pipeline(pipeline, module, Environment(schedule=schedule))
    assert asked == [("mark", {"a": [1, 2]}, module.context)]
    assert "seen = 7" in str(module)


def test_a_transform_file_runs_the_sequence_that_is_named(load, module, tmp_path) -> None:
    (tmp_path / "t.mlir").write_text(SCHEDULE)
    other = load("  - {transform: t.mlir, sequence: other}\n")
    main = load("  - transform: t.mlir\n")
    (tmp_path / "t.mlir").unlink()  # the text was read when the pipeline was loaded
    run_pipeline(other, module, Environment())
    assert "seen" not in str(module)
    run_pipeline(main, module, Environment())
    assert "seen = 7" in str(module)


def test_kernels_are_handed_their_stages(load, module) -> None:
    handed: list[tuple[Stage, ...]] = []
    pipeline = load("  - kernels: [{pass: cse}, {pass: canonicalize, on: func.func}]\n")
    environment = Environment(kernels=lambda module, stages: handed.append(stages))
    assert _names(run_pipeline(pipeline, module, environment)) == ["kernels"]
    (stages,) = handed
    inner = Pipeline(name="inner", summary="-", stages=stages)
    assert _names(run_pipeline(inner, module, Environment())) == ["pass-cse", "pass-canonicalize"]
    assert str(module).count("arith.addf") == 1


def test_dialects_are_registered_once_per_run(load, module) -> None:
    seen: list[ir.Context] = []
    environment = Environment(register=seen.append)
    run_pipeline(load("  - pass: cse\n  - pass: cse\n"), module, environment)
    assert seen == [module.context]


FOUR = "  - pass: cse\n  - include: part.yaml\n  - pass: symbol-dce\n"
PART = "schema: 1\nsummary: P.\nstages: [{pass: canonicalize}, {pass: inline}]\n"


@pytest.mark.parametrize(
    ("snapshots", "runs"),
    [
        ({"from_stage": "pass-inline"}, ["inline", "symbol-dce"]),
        ({"stop_after": "pass-canonicalize"}, ["cse", "canonicalize"]),
        ({"from_stage": "part.yaml"}, ["canonicalize", "inline", "symbol-dce"]),
        ({"stop_after": "part.yaml"}, ["cse", "canonicalize", "inline"]),
        ({"from_stage": "part.yaml", "stop_after": "part.yaml"}, ["canonicalize", "inline"]),
        ({"from_stage": "pass-cse", "stop_after": "pass-cse"}, ["cse"]),
    ],
)
def test_part_of_a_pipeline(load, module, tmp_path, snapshots, runs) -> None:
    (tmp_path / "part.yaml").write_text(PART)
    environment = Environment(snapshots=Snapshots(**snapshots))
    result = run_pipeline(load(FOUR), module, environment)
    assert _names(result) == [f"pass-{name}" for name in runs]


@pytest.mark.parametrize(
    ("snapshots", "message"),
    [
        (
            {"from_stage": "pass-inlin"},
            "--from-stage: unknown stage 'pass-inlin'; allowed: kernels, pass-cse, pass-inline, "
            "pass-symbol-dce, when-amx; did you mean 'pass-inline'?",
        ),
        (
            {"stop_after": "nothing-like-it"},
            "--stop-after: unknown stage 'nothing-like-it'; allowed: kernels, pass-cse, "
            "pass-inline, pass-symbol-dce, when-amx.",
        ),
        (
            {"print_after": frozenset({"pass-cs"})},
            "--print-after: unknown stage 'pass-cs'; allowed: kernels, pass-cse, pass-inline, "
            "pass-symbol-dce, when-amx; did you mean 'pass-cse'?",
        ),
        (
            {"stop_after": "pass-symbol-dce"},
            "--stop-after: the stage 'pass-symbol-dce' is not one of the steps of this run; "
            "allowed: pass-cse, kernels; it is inside a `kernels` stage, or its condition does "
            "not hold here.",
        ),
        (
            {"from_stage": "pass-inline"},
            "--from-stage: the stage 'pass-inline' is not one of the steps of this run; "
            "allowed: pass-cse, kernels; it is inside a `kernels` stage, or its condition does "
            "not hold here.",
        ),
        (
            {"from_stage": "kernels", "stop_after": "pass-cse"},
            "--stop-after: the stage 'pass-cse' comes before 'kernels'.",
        ),
    ],
)
def test_names_that_do_not_fit_are_refused_before_anything_runs(
    load, module, snapshots, message
) -> None:
    pipeline = load(
        "  - pass: cse\n"
        "  - when: {feature: amx}\n"
        "    then: [{pass: symbol-dce}]\n"
        "  - kernels: [{pass: inline}]\n"
    )
    environment = Environment(snapshots=Snapshots(**snapshots))
    with pytest.raises((UnknownNameError, UsageError)) as caught:
        run_pipeline(pipeline, module, environment)
    assert str(caught.value) == message
    assert str(module).count("arith.addf") == 2


@pytest.mark.parametrize("kind", [SelectionError, UsageError])
def test_errors_about_the_input_pass_as_they_are(load, module, kind, tmp_path) -> None:
    def select(payload: ir.Module, stage: SelectStage) -> None:
        raise kind("the tile does not divide")

    snapshots = Snapshots(reproducer_dir=tmp_path / "r")
    pipeline = load("  - select: {by: [lock]}\n", selectors=["lock"])
    with pytest.raises(kind, match=r"^the tile does not divide\.$"):
        run_pipeline(pipeline, module, Environment(select=select, snapshots=snapshots))
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("  - schedule: a\n", "there are no schedules without a target; got a."),
        ("  - select: {by: [a]}\n", "p.yaml:4:5: nothing can be selected without a target."),
        ("  - kernels: [{pass: cse}]\n", "kernels cannot be compiled without a target."),
    ],
)
def test_without_a_target_only_passes_run(load, module, stages, message) -> None:
    pipeline = load(stages, schedules=["a"], selectors=["a"])
    with pytest.raises(UsageError) as caught:
        run_pipeline(pipeline, module, Environment())
    assert str(caught.value).endswith(message)
