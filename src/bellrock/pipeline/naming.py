"""Names of stages: given ones stay, the others are made from what the stage does.

Flows in: a tree of stages, in which an empty name means that none was given. Flows out:
the same tree with unique names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bellrock.pipeline.stage import (
    GroupStage,
    KernelsStage,
    PassStage,
    ScheduleStage,
    SelectStage,
    Stage,
    TransformStage,
    WhenStage,
    walk,
)


def name_stages(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Return the stages with names that are unique at all depths.

    A name that was given belongs to the first stage that has it; where an included
    descriptor brings it a second time, a number is appended as for generated names.
    """
    owners: dict[str, int] = {}
    given = [stage for stage in walk(stages) if stage.name]
    for stage in given:
        owners.setdefault(stage.name, id(stage))
    taken = set(owners)
    return tuple(_named(stage, owners, taken) for stage in stages)


def _named(stage: Stage, owners: dict[str, int], taken: set[str]) -> Stage:
    if not stage.name or owners[stage.name] != id(stage):
        name = _free(stage.name or _base(stage), taken)
    else:
        name = stage.name
    taken.add(name)

    def inner(stages: Sequence[Stage]) -> tuple[Stage, ...]:
        return tuple(_named(each, owners, taken) for each in stages)

    match stage:
        case GroupStage() | KernelsStage():
            return replace(stage, name=name, stages=inner(stage.stages))
        case WhenStage():
            return replace(
                stage, name=name, then=inner(stage.then), otherwise=inner(stage.otherwise)
            )
        case _:
            return replace(stage, name=name)


def _free(base: str, taken: set[str]) -> str:
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def _base(stage: Stage) -> str:
    match stage:
        case PassStage():
            base = f"pass-{stage.pass_name}"
        case ScheduleStage():
            base = f"schedule-{stage.schedule}"
        case TransformStage():
            base = f"transform-{stage.sequence}"
        case SelectStage():
            base = "select"
        case KernelsStage():
            base = "kernels"
        case WhenStage():
            base = f"when-{'-or-'.join(stage.values)}"
        case GroupStage():
            return stage.source
    return re.sub(r"[^A-Za-z0-9_.-]", "-", base)
