"""Each way to compute a motif has its branch in the kernels' pipeline, and each branch its way."""

from __future__ import annotations

from bellrock.compiler import pipeline_for
from bellrock.pipeline.stage import NO_CHOICE, WhenStage, walk
from bellrock.target import TARGETS


def test_every_choice_has_one_branch() -> None:
    stages = pipeline_for("cpu", "kernel").stages
    branches = [s for s in walk(stages) if isinstance(s, WhenStage) and s.of == "choice"]
    values = [value for branch in branches for value in branch.values]
    names = [knobs.name for knobs in TARGETS.get("cpu").all_knobs()]
    assert sorted(values) == sorted([*names, NO_CHOICE])
    assert all(branch.then for branch in branches)
