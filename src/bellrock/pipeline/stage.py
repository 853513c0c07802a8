"""Resolved stages: what a loaded pipeline consists of.

Flows in: from `load`, descriptors with all names, variables and includes resolved. Flows
out: a `Pipeline`, a tree of frozen stages that can be run, shown, hashed and pickled.
Two stages are equal if they do the same; where they were written is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

NO_CHOICE = "none"
"""What a condition on the choice sees of a kernel whose anchor has none."""

OptionValue = (
    bool | int | float | str | Sequence["OptionValue"] | Mapping[str, "OptionValue"] | None
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseStage:
    """What every stage has."""

    name: str
    """Unique in its pipeline: for `--print-after`, dumps, times and messages."""
    where: str = field(default="", compare=False)
    """`file:line:column` of the entry that it comes from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PassStage(BaseStage):
    """One MLIR pass."""

    pass_name: str
    on: tuple[str, ...] = ("builtin.module",)
    """Anchors from the outermost in; the first is always `builtin.module`."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleStage(BaseStage):
    """One named schedule."""

    schedule: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformStage(BaseStage):
    """One named sequence of a transform file."""

    path: str = field(compare=False)
    """Of the file, absolute."""
    text: str
    """What the file held when the pipeline was loaded."""
    sequence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectStage(BaseStage):
    """Choices for motifs."""

    motifs: tuple[str, ...] | None
    """Kinds of motif; None is all of them."""
    by: tuple[str, ...]
    """Selectors in the order in which they are asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelsStage(BaseStage):
    """Stages for each outlined kernel, in a module of its own."""

    stages: tuple[Stage, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupStage(BaseStage):
    """The stages of an included descriptor; its name stands for all of them."""

    source: str
    """The included descriptor's name."""
    stages: tuple[Stage, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WhenStage(BaseStage):
    """Stages that depend on the device, or on what was chosen for a kernel."""

    of: Literal["feature", "choice"]
    """Whether `values` are features of the device, or classes of knobs."""
    values: tuple[str, ...]
    """One of them has to be there for `then` to be taken."""
    then: tuple[Stage, ...]
    otherwise: tuple[Stage, ...]

    def taken(self, *, features: frozenset[str], choice: str) -> tuple[Stage, ...]:
        """Return the branch to run on a device with these features, for this choice."""
        there = features if self.of == "feature" else {choice}
        return self.then if there.intersection(self.values) else self.otherwise


Step = PassStage | ScheduleStage | TransformStage | SelectStage | KernelsStage
"""A stage that the driver runs as one."""
Stage = Step | GroupStage | WhenStage


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """A loaded pipeline: nothing in it is unknown, unresolved or of a wrong type."""

    name: str
    summary: str
    stages: tuple[Stage, ...]
    variables: Mapping[str, OptionValue] = field(default_factory=dict, compare=False)
    """Values that the variables of the outermost descriptor got."""


def children(stage: Stage) -> tuple[Stage, ...]:
    """Return the stages directly inside a stage, in order."""
    if isinstance(stage, WhenStage):
        return stage.then + stage.otherwise
    if isinstance(stage, GroupStage | KernelsStage):
        return stage.stages
    return ()


def walk(stages: Sequence[Stage]) -> Iterator[Stage]:
    """Yield every stage at any depth, outer ones before their inner ones."""
    for stage in stages:
        yield stage
        yield from walk(children(stage))


def flatten(pipeline: Pipeline, *, features: frozenset[str] | None = None) -> Pipeline:
    """Return the pipeline without groups.

    Args:
        pipeline: as loaded.
        features: the device's; where given, conditions on features are decided by them.
            Otherwise they stay, as conditions on choices always do.
    """
    return replace(pipeline, stages=tuple(_flat(pipeline.stages, features)))


def _flat(stages: Sequence[Stage], features: frozenset[str] | None) -> Iterator[Stage]:
    for stage in stages:
        match stage:
            case GroupStage():
                yield from _flat(stage.stages, features)
            case WhenStage() if features is not None and stage.of == "feature":
                yield from _flat(stage.taken(features=features, choice=NO_CHOICE), features)
            case WhenStage():
                then, otherwise = _flat(stage.then, features), _flat(stage.otherwise, features)
                yield replace(stage, then=tuple(then), otherwise=tuple(otherwise))
            case KernelsStage():
                yield replace(stage, stages=tuple(_flat(stage.stages, features)))
            case _:
                yield stage
