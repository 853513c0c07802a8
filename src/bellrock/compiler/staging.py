"""What a pipeline needs of a target: its names and facts to be loaded, its schedules to run.

Flows in: a target, a lock, a compiler of kernels. Flows out: a `Pipeline`, an `Environment` for its
stages, and what they chose.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.compiler.cache import Cache
from bellrock.compiler.kernels import KernelCompiler
from bellrock.compiler.schedules import schedules_of
from bellrock.params.lock import Lock, LockRow
from bellrock.pipeline.environment import Environment, Snapshots
from bellrock.pipeline.load import load_pipeline
from bellrock.pipeline.stage import Pipeline, SelectStage, Stage
from bellrock.schedule import schedule_names
from bellrock.target import TARGETS
from bellrock.target.base import Target

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.params.select import Selection


@dataclass(slots=True)
class Choices:
    """What selection stages chose, collected over a run."""

    rows: list[LockRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, selection: Selection) -> None:
        """Add what one stage chose."""
        self.rows.extend(selection.rows)
        self.warnings.extend(selection.warnings)

    def revise(self, module: ir.Module, target: Target) -> None:
        """Take over what stages after selection had to change: the rows say what is done."""
        from bellrock.params.select import revised_rows

        self.rows = revised_rows(module, self.rows, target)


def pipeline_for(
    target_name: str,
    pipeline: str | Path | None = None,
    variables: Mapping[str, object] | None = None,
) -> Pipeline:
    """Load a pipeline as a target sees it.

    Args:
        target_name: whose pipelines, schedules and facts are meant.
        pipeline: name or path; None is the target's default.
        variables: values for its variables.

    Raises:
        UnknownNameError: no such target.
        PipelineError: the descriptor is malformed.
    """
    from bellrock.params.select import SELECTORS
    from bellrock.payload.motifs.base import MotifKind

    target = TARGETS.get(target_name)
    facts = target.facts()
    return load_pipeline(
        pipeline if pipeline is not None else target.default_pipeline(),
        search=(target.pipelines(),),
        variables=variables or {},
        target_facts={
            **facts.limits,
            "chip": facts.chip,
            "vector_bits": facts.vector_bits,
            "vector_registers": facts.vector_registers,
            "cores": facts.cores,
        },
        schedules=schedule_names(target.schedules()),
        selectors=SELECTORS.names(),
        motifs=[str(kind) for kind in MotifKind],
        choices=[knobs.name for knobs in target.all_knobs()],
        features=target.known_features(),
    )


def environment_for(
    target_name: str,
    *,
    lock: Lock | None = None,
    snapshots: Snapshots | None = None,
    cache: Cache | None = None,
    jobs: int | None = None,
) -> Environment:
    """Return what the stages of a pipeline need of a target (for `bellrock opt`)."""
    target = TARGETS.get(target_name)
    kernels = KernelCompiler(
        target=target, cache=cache, jobs=jobs or cores(), snapshots=snapshots or Snapshots()
    )
    return environment_of(target, kernels, Choices(), lock)


def environment_of(
    target: Target, kernels: KernelCompiler, choices: Choices, lock: Lock | None
) -> Environment:
    """Return what the stages of a pipeline need.

    Args:
        target: that is compiled for.
        kernels: compiles them.
        choices: where what is chosen goes.
        lock: choices to use again.
    """

    def select(module: ir.Module, stage: SelectStage) -> None:
        from bellrock.params.select import select_all

        choices.add(
            select_all(
                module,
                by=stage.by,
                target=target,
                motifs="all" if stage.motifs is None else stage.motifs,
                lock=lock,
            )
        )

    def compile_kernels(module: ir.Module, stages: tuple[Stage, ...]) -> None:
        choices.revise(module, target)
        kernels.run(module, stages)

    return Environment(
        features=target.facts().features,
        schedule=schedules_of(target),
        select=select,
        kernels=compile_kernels,
        snapshots=kernels.snapshots,
        target=target.name,
        lock=lock.text() if lock is not None else None,
    )


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
