"""The driver: runs a pipeline on a module, stage by stage.

Flows in: a loaded `Pipeline`, a module, an `Environment`. Flows out: the module, changed
in place, and the time of each stage. After each stage the module is verified; a stage that
fails leaves a reproducer folder, which the error names.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bellrock.errors import BellrockError, CacheError, SelectionError, StageError, UsageError
from bellrock.pipeline.context import register_passes
from bellrock.pipeline.environment import Environment
from bellrock.pipeline.failure import stage_failed
from bellrock.pipeline.passes import pass_text
from bellrock.pipeline.snapshots import dump_module, full_text, make_plan, print_module
from bellrock.pipeline.stage import (
    NO_CHOICE,
    KernelsStage,
    PassStage,
    Pipeline,
    ScheduleStage,
    SelectStage,
    Stage,
    Step,
    TransformStage,
    WhenStage,
    walk,
)

if TYPE_CHECKING:
    from torch_mlir import ir

ENTRY_SEQUENCE = "__transform_main"
"""The sequence that is run of a schedule with several."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageTime:
    """How long one stage took."""

    name: str
    seconds: float
    """Its own work with verification; without printing and dumping."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineResult:
    """What a run leaves behind besides the module."""

    stages: tuple[StageTime, ...]
    """The stages that ran, in order."""


def run_pipeline(pipeline: Pipeline, module: ir.Module, environment: Environment) -> PipelineResult:
    """Run a pipeline on a module, in place.

    Args:
        pipeline: as loaded.
        module: the payload, in a context of its own choice.
        environment: what stages need from outside, and what to print, dump and skip.

    Returns:
        The time of each stage.

    Raises:
        StageFailedError: a stage failed, or left a module that does not verify.
        SelectionError: a choice cannot be made or does not fit its op.
        UsageError: a stage that the user named does not exist, or found bad input.
    """
    snapshots = environment.snapshots
    plan = make_plan(
        pipeline.stages,
        snapshots,
        features=environment.features,
        choice=_choice(pipeline.stages, module),
    )
    register_passes()
    environment.register(module.context)
    total = len(plan.steps)
    if snapshots.dump_dir is not None and plan.start == 0:
        dump_module(module, snapshots.dump_dir, 0, "input", total=total)
    times: list[StageTime] = []
    for index in range(plan.start, plan.stop):
        step = plan.steps[index]
        run = _Run(pipeline=pipeline, left=plan.steps[index:], environment=environment)
        start = time.perf_counter()
        run.step(step, module)
        times.append(StageTime(name=step.name, seconds=time.perf_counter() - start))
        if index in plan.print_after:
            print_module(module, step.name, snapshots)
        if snapshots.dump_dir is not None:
            dump_module(module, snapshots.dump_dir, index + 1, step.name, total=total)
    return PipelineResult(stages=tuple(times))


def _choice(stages: Sequence[Stage], module: ir.Module) -> str:
    """Return the class of knobs of a kernel's anchor, if a condition asks for it."""
    if not any(isinstance(stage, WhenStage) and stage.of == "choice" for stage in walk(stages)):
        return NO_CHOICE
    from bellrock.dialects.outlining import chosen_knobs

    return chosen_knobs(module.operation) or NO_CHOICE


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """One step of a run, with what is needed to report its failure."""

    pipeline: Pipeline
    left: tuple[Step, ...]
    environment: Environment
    said: list[str] = field(default_factory=list)
    """Diagnostics of MLIR while the step ran."""

    def step(self, step: Step, module: ir.Module) -> None:
        """Run and verify one step; on failure, leave a reproducer."""
        before = module.operation.clone()  # cheap: constants are shared; printed on failure only
        try:
            with module.context, _listening(module.context, self.said):
                _ACTIONS[type(step)](self, step, module)
                _verify(module)
        except (UsageError, SelectionError, StageError, CacheError):
            raise  # the input's or the disk's fault, or reported already by an inner pipeline
        except Exception as error:
            raise stage_failed(
                self.pipeline,
                self.left,
                before=full_text(before.operation),
                diagnostics=self._diagnostics(error),
                environment=self.environment,
            ) from error

    def _diagnostics(self, error: Exception) -> str:
        own = isinstance(error, BellrockError | ValueError) and str(error)  # MLIR's are ValueErrors
        lines = [own or f"{type(error).__name__}: {error}"]
        lines += [text for text in self.said if text not in lines[0]]
        lines += ["", *traceback.format_exception(error)]
        return "\n".join(lines)

    def run_pass(self, step: PassStage, module: ir.Module) -> None:
        from torch_mlir.passmanager import PassManager

        manager = PassManager.parse(pass_text(step))
        manager.enable_verifier(False)  # `step` verifies, and names the stage
        manager.run(module.operation)

    def run_schedule(self, step: ScheduleStage, module: ir.Module) -> None:
        text = self.environment.schedule(step.schedule, step.options, module.context)
        _apply(module, text, ENTRY_SEQUENCE)

    def run_transform(self, step: TransformStage, module: ir.Module) -> None:
        _apply(module, step.text, step.sequence)

    def run_select(self, step: SelectStage, module: ir.Module) -> None:
        self.environment.select(module, step)

    def run_kernels(self, step: KernelsStage, module: ir.Module) -> None:
        self.environment.kernels(module, step.stages)


_ACTIONS: dict[type[Step], Callable[..., None]] = {
    PassStage: _Run.run_pass,
    ScheduleStage: _Run.run_schedule,
    TransformStage: _Run.run_transform,
    SelectStage: _Run.run_select,
    KernelsStage: _Run.run_kernels,
}


def _apply(module: ir.Module, text: str, sequence: str) -> None:
    from torch_mlir import ir
    from torch_mlir.dialects.transform import interpreter

    from bellrock.pipeline.sequences import sequences_of

    schedule = ir.Module.parse(text)
    sequences = sequences_of(schedule)
    if len(sequences) == 1 and sequence == ENTRY_SEQUENCE:
        (operation,) = sequences.values()
    else:
        operation = sequences[sequence]
    interpreter.apply_named_sequence(module.operation, operation, schedule)


def _verify(module: ir.Module) -> None:
    if not module.operation.verify():
        raise ValueError("error: the module does not verify after this stage")


@contextmanager
def _listening(context: ir.Context, said: list[str]) -> Iterator[None]:
    """Collect MLIR's diagnostics instead of letting them go to stderr."""

    def hear(diagnostic: ir.Diagnostic) -> bool:
        said.append(f"{diagnostic.severity.name.lower()}: {diagnostic.location}: {diagnostic}")
        said.extend(f"note: {note.location}: {note}" for note in diagnostic.notes)
        return True

    handler = context.attach_diagnostic_handler(hear)
    try:
        yield
    finally:
        handler.detach()
