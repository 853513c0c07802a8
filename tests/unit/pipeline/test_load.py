"""What good descriptors load to: stages, names, includes, variables, conditions."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import pytest

from bellrock.pipeline import search
from bellrock.pipeline.load import load_pipeline
from bellrock.pipeline.search import list_pipelines, read_summary
from bellrock.pipeline.show import canonical_text, show_pipeline
from bellrock.pipeline.stage import (
    GroupStage,
    KernelsStage,
    PassStage,
    ScheduleStage,
    SelectStage,
    TransformStage,
    WhenStage,
    flatten,
    walk,
)

HEAD = "schema: 1\nsummary: T.\n"
EVERYTHING = """\
schema: 1
summary: One of each.
variables:
  vector_bits: {type: int, default: "${target.vector_bits}", help: Width.}
  lanes: {type: list, default: ["${vector_bits}", 2]}
  selectors: {type: list, default: [lock, default]}
  shape: {type: str, default: tall, choices: [tall, wide]}
stages:
  - include: part
    variables: {text: "w-${vector_bits}"}
  - pass: canonicalize
    on: [gpu.module, gpu.func]
    options: {max-iterations: "${vector_bits}", disable-patterns: [a, b], top-down: false}
    name: tidy
  - schedule: tile
  - schedule: {name: tile, options: {lanes: "${lanes}", literal: "$${x}", deep: {a: [1, [2]]}}}
  - transform: t.mlir
    sequence: go
  - select: {by: "${selectors}"}
  - when: {variable: shape, equals: tall}
    then: [{pass: cse}]
    else: [{pass: inline}]
  - when: {feature: avx}
    then: [{pass: cse}]
    else: [{pass: cse}]
  - kernels:
      - pass: cse
"""
PART = """\
schema: 1
summary: A part.
variables: {text: {type: str}}
stages:
  - pass: symbol-privatize
    options: {exclude: ["${text}"]}
"""
SEQUENCE = """\
module attributes {transform.with_named_sequence} {
  transform.named_sequence @go(%m: !transform.any_op) {
    transform.yield
  }
}
"""


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    (tmp_path / "all.yaml").write_text(EVERYTHING)
    (tmp_path / "part.yaml").write_text(PART)
    (tmp_path / "t.mlir").write_text(SEQUENCE)
    return tmp_path


def _load(folder: Path, **variables: object):
    return load_pipeline(
        "all",
        search=[folder],
        variables=variables,
        target_facts={"vector_bits": 512},
        schedules=["tile"],
        selectors=["lock", "default"],
    )


def test_one_of_each(everything: Path) -> None:
    pipeline = _load(everything)
    assert pipeline.name == "all"
    assert pipeline.summary == "One of each."
    assert pipeline.variables == {
        "vector_bits": 512,
        "lanes": [512, 2],
        "selectors": ["lock", "default"],
        "shape": "tall",
    }
    assert pipeline.stages == (
        GroupStage(
            name="part",
            source="part",
            stages=(
                PassStage(
                    name="pass-symbol-privatize",
                    pass_name="symbol-privatize",
                    options={"exclude": ["w-512"]},
                ),
            ),
        ),
        PassStage(
            name="tidy",
            pass_name="canonicalize",
            on=("builtin.module", "gpu.module", "gpu.func"),
            options={"max-iterations": 512, "disable-patterns": ["a", "b"], "top-down": False},
        ),
        ScheduleStage(name="schedule-tile", schedule="tile"),
        ScheduleStage(
            name="schedule-tile-2",
            schedule="tile",
            options={"lanes": [512, 2], "literal": "${x}", "deep": {"a": [1, [2]]}},
        ),
        TransformStage(
            name="transform-go", path=str(everything / "t.mlir"), text=SEQUENCE, sequence="go"
        ),
        SelectStage(name="select", motifs=None, by=("lock", "default")),
        PassStage(name="pass-cse", pass_name="cse"),
        WhenStage(
            name="when-avx",
            of="feature",
            values=("avx",),
            then=(PassStage(name="pass-cse-2", pass_name="cse"),),
            otherwise=(PassStage(name="pass-cse-3", pass_name="cse"),),
        ),
        KernelsStage(name="kernels", stages=(PassStage(name="pass-cse-4", pass_name="cse"),)),
    )


def test_stages_know_where_they_are_written(everything: Path) -> None:
    places = {stage.name: stage.where for stage in walk(_load(everything).stages)}
    assert places["tidy"] == f"{everything}/all.yaml:11:5"
    assert places["pass-symbol-privatize"] == f"{everything}/part.yaml:5:5"
    assert places["pass-cse-3"] == f"{everything}/all.yaml:25:12"


def test_values_replace_defaults(everything: Path) -> None:
    pipeline = _load(everything, shape="wide", vector_bits=128)
    names = [stage.name for stage in pipeline.stages]
    assert "pass-inline" in names
    assert pipeline.variables["lanes"] == [128, 2]


def test_an_integer_is_a_float_and_nothing_else_converts(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        f"{HEAD}variables: {{x: {{type: float, default: 1}}}}\n"
        'stages: [{schedule: {name: s, options: {x: "${x}"}}}]\n'
    )
    (stage,) = load_pipeline(path, schedules=["s"]).stages
    assert isinstance(stage, ScheduleStage)
    assert repr(stage.options["x"]) == "1.0"


def test_flatten_puts_includes_in_place_and_decides_features(everything: Path) -> None:
    pipeline = _load(everything)
    flat = [stage.name for stage in flatten(pipeline).stages]
    assert flat[0] == "pass-symbol-privatize"
    assert "when-avx" in flat
    decided = [stage.name for stage in flatten(pipeline, features=frozenset()).stages]
    assert "when-avx" not in decided
    assert "pass-cse-3" in decided
    assert "pass-cse-2" not in decided


def test_show_is_a_descriptor_of_the_same_stages(everything: Path) -> None:
    pipeline = _load(everything)
    text = show_pipeline(pipeline)
    assert text == (
        "schema: 1\n"
        "summary: One of each.\n"
        "stages:\n"
        "  - pass: symbol-privatize\n"
        "    options: {exclude: [w-512]}\n"
        "  - pass: canonicalize\n"
        "    on: [gpu.module, gpu.func]\n"
        "    options: {max-iterations: 512, disable-patterns: [a, b], top-down: false}\n"
        "    name: tidy\n"
        "  - schedule: tile\n"
        "  - schedule: {name: tile, options: {lanes: [512, 2], "
        'literal: "$${x}", deep: {a: [1, [2]]}}}\n'
        f"  - transform: {everything}/t.mlir\n"
        "    sequence: go\n"
        "  - select: {motifs: all, by: [lock, default]}\n"
        "  - pass: cse\n"
        "  - when: {feature: avx}\n"
        "    then:\n"
        "      - pass: cse\n"
        "    else:\n"
        "      - pass: cse\n"
        "  - kernels:\n"
        "      - pass: cse\n"
    )
    (everything / "shown.yaml").write_text(text)
    again = load_pipeline(
        everything / "shown.yaml", schedules=["tile"], selectors=["lock", "default"]
    )
    assert again.stages == flatten(pipeline).stages


def test_the_same_part_twice_gets_names_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(f"{HEAD}stages: [{{pass: cse, name: tidy}}]\n")
    (tmp_path / "p.yaml").write_text(f"{HEAD}stages: [{{include: part}}, {{include: part}}]\n")
    pipeline = load_pipeline("p", search=[tmp_path])
    names = [stage.name for stage in walk(pipeline.stages)]
    assert names == ["part", "tidy", "part-2", "tidy-2"]


def test_a_given_name_is_kept_whatever_comes_before(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        f"{HEAD}stages: [{{pass: cse}}, {{pass: inline, name: pass-cse}}]\n"
    )
    pipeline = load_pipeline(tmp_path / "p.yaml")
    assert [stage.name for stage in pipeline.stages] == ["pass-cse-2", "pass-cse"]


def test_earlier_folders_hide_later_ones_and_the_library_is_last(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, summary in [(one, "first"), (two, "second")]:
        (folder / "common").mkdir(parents=True)
        for name in ("normalise", "own" if folder == one else "other"):
            (folder / "common" / f"{name}.yaml").write_text(
                f"schema: 1\nsummary: {summary}\nstages: []\n"
            )
    assert load_pipeline("common/normalise", search=[one, two]).summary == "first"
    assert load_pipeline("common/other", search=[one, two]).summary == "second"
    found = list_pipelines([one, two])
    assert found["common/normalise"].is_relative_to(one)
    assert list(found) == sorted(found)
    assert read_summary(found["common/other"]) == "second"


def test_a_path_includes_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "p.yaml").write_text(f"{HEAD}stages: [{{include: ../q.yaml}}]\n")
    (tmp_path / "q.yaml").write_text(f"{HEAD}stages: [{{pass: cse}}]\n")
    pipeline = load_pipeline(str(tmp_path / "below" / "p.yaml"))
    assert [stage.name for stage in walk(pipeline.stages)] == ["../q.yaml", "pass-cse"]


def test_stages_can_be_sent_to_workers_and_hashed(everything: Path) -> None:
    stages = _load(everything).stages
    copy = pickle.loads(pickle.dumps(stages))
    assert copy == stages
    assert canonical_text(copy) == canonical_text(stages)
    other = _load(everything, vector_bits=256).stages
    assert canonical_text(other) != canonical_text(stages)


def test_the_text_of_a_transform_is_part_of_the_hash_and_its_place_is_not(everything) -> None:
    before = _load(everything).stages
    moved = everything / "moved"
    moved.mkdir()
    for path in everything.glob("*.*"):
        path.rename(moved / path.name)
    assert canonical_text(_load(moved).stages) == canonical_text(before)
    (moved / "t.mlir").write_text(SEQUENCE + "// changed\n")
    assert canonical_text(_load(moved).stages) != canonical_text(before)


@pytest.mark.parametrize("name", sorted(list_pipelines()))
def test_the_library_has_summaries_and_known_keys(name: str) -> None:
    class Anything(list[str]):
        def __contains__(self, name: object) -> bool:
            return True

    pipeline = load_pipeline(name, schedules=Anything(), selectors=Anything())
    assert pipeline.summary.endswith(".")
    assert search.LIBRARY.is_dir()


def test_loading_from_several_threads(everything: Path) -> None:
    loaded: list[object] = []
    threads = [
        threading.Thread(target=lambda: loaded.append(_load(everything).stages)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 4
    assert all(stages == loaded[0] for stages in loaded)
