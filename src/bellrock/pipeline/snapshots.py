"""Stages by name, and the IR after them: printed, or written to files.

Flows in: a pipeline's stages, the user's wishes. Flows out: the steps to run and, after
each, text on a stream or a numbered file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.errors import UnknownNameError, UsageError
from bellrock.pipeline.environment import Snapshots
from bellrock.pipeline.stage import NO_CHOICE, GroupStage, Stage, Step, WhenStage, walk

if TYPE_CHECKING:
    from torch_mlir import ir

ELIDE_ABOVE = 16
"""Elements of a constant from which on printing elides it; files always hold all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The steps of one run, and the places of all names in them."""

    steps: tuple[Step, ...]
    spans: Mapping[str, tuple[int, int]]
    """For a name, the first step that it stands for and the one after the last."""
    start: int
    stop: int
    """Steps `start <= i < stop` are run."""
    print_after: frozenset[int]


def make_plan(
    stages: Sequence[Stage],
    snapshots: Snapshots,
    *,
    features: frozenset[str],
    choice: str = NO_CHOICE,
) -> Plan:
    """Decide conditions and find the names that the user gave.

    Args:
        stages: of the pipeline.
        snapshots: what the user wants to see of the run.
        features: of the device.
        choice: class of knobs of the kernel that the stages run on.

    Raises:
        UnknownNameError: no stage has a name.
        UsageError: a stage of that name exists but does not run, or not as one of the steps.
    """
    steps: list[Step] = []
    spans: dict[str, tuple[int, int]] = {}
    _lay_out(stages, features, choice, steps, spans)
    names = {stage.name: stage for stage in walk(stages)}

    def span(name: str, option: str) -> tuple[int, int]:
        if name not in names:
            raise UnknownNameError("stage", name, names, where=option)
        first, end = spans.get(name, (0, 0))
        if first == end:
            raise UsageError(
                f"the stage {name!r} is not one of the steps of this run",
                where=option,
                allowed=[step.name for step in steps],
                hint="it is inside a `kernels` stage, or its condition does not hold here",
            )
        return first, end

    first = 0 if snapshots.from_stage is None else span(snapshots.from_stage, "--from-stage")[0]
    last = len(steps)
    if snapshots.stop_after is not None:
        last = span(snapshots.stop_after, "--stop-after")[1]
    if last <= first and steps:
        raise UsageError(
            f"the stage {snapshots.stop_after!r} comes before {snapshots.from_stage!r}",
            where="--stop-after",
        )
    return Plan(
        steps=tuple(steps),
        spans=spans,
        start=first,
        stop=last,
        print_after=_printed(snapshots, names, spans, len(steps)),
    )


def _printed(
    snapshots: Snapshots,
    names: Mapping[str, Stage],
    spans: Mapping[str, tuple[int, int]],
    count: int,
) -> frozenset[int]:
    if snapshots.print_after == "all":
        return frozenset(range(count))
    for name in sorted(snapshots.print_after):
        if name not in names:
            raise UnknownNameError("stage", name, names, where="--print-after")
    ends = (spans[name][1] for name in snapshots.print_after if name in spans)
    return frozenset(end - 1 for end in ends)


def _lay_out(
    stages: Sequence[Stage],
    features: frozenset[str],
    choice: str,
    steps: list[Step],
    spans: dict[str, tuple[int, int]],
) -> None:
    for stage in stages:
        first = len(steps)
        match stage:
            case GroupStage():
                _lay_out(stage.stages, features, choice, steps, spans)
            case WhenStage():
                taken = stage.taken(features=features, choice=choice)
                _lay_out(taken, features, choice, steps, spans)
            case _:
                steps.append(stage)
        spans[stage.name] = (first, len(steps))


def print_module(module: ir.Module, title: str, snapshots: Snapshots) -> None:
    """Print a module for people, large constants elided."""
    if snapshots.stream is None:
        raise UsageError("there is no stream to print the module to", where="--print-after")
    text = module.operation.get_asm(large_elements_limit=ELIDE_ABOVE)
    of = f" of {snapshots.label}" if snapshots.label else ""
    snapshots.stream.write(f"// ----- after {title}{of} -----\n{text.rstrip()}\n\n")


def dump_module(module: ir.Module, folder: Path, number: int, name: str, *, total: int) -> Path:
    """Write a module, all of it, to a numbered file, and return the file's path.

    Args:
        module: to write.
        folder: created if it does not exist.
        number: of the step, from 1; 0 is the input.
        name: of the step.
        total: number of steps, which decides the width of the numbers.
    """
    width = max(2, len(str(total)))
    path = folder / f"{number:0{width}}-{name}.mlir"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(full_text(module.operation), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            "cannot write the dump", got=error.strerror, where=path, hint="name another --dump-dir"
        ) from error
    return path


def full_text(operation: ir.Operation) -> str:
    """Return a module's text with nothing left out; it parses back."""
    text = operation.get_asm(assume_verified=True)
    return text if text.endswith("\n") else text + "\n"
