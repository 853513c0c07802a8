"""What a target brings to the running of a pipeline, and what a user wants to see of it.

Flows in: from the compiler, functions for the stages whose meaning the target decides.
Flows out: one frozen record for `driver.run_pipeline`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from bellrock.errors import PipelineError
from bellrock.pipeline.stage import OptionValue, SelectStage, Stage, walk

if TYPE_CHECKING:
    from torch_mlir import ir


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshots:
    """What to print, write, skip and keep of one run.

    Names are those of stages. The name of an include stands for its last stage, and in
    `from_stage` for its first one.
    """

    print_after: frozenset[str] | Literal["all"] = frozenset()
    stream: TextIO | None = None
    """Where `print_after` goes; needed with it."""
    dump_dir: Path | None = None
    """Folder for one `.mlir` file per stage, created if needed."""
    from_stage: str | None = None
    """Skip the stages before this one; the module is as a dump left it."""
    stop_after: str | None = None
    reproducer_dir: Path | None = None
    """Folder for reproducers; None is `reproducers` in the user's cache folder."""

    label: str = ""
    """What the module is, in the titles of what is printed; "" for a whole payload."""

    def within(self, stages: Sequence[Stage], *, folder: str) -> Snapshots:
        """Return what holds for stages that run on a module of their own (a kernel).

        Args:
            stages: the inner stages.
            folder: name of the subfolder that their dumps go to, e.g. the kernel's symbol.
        """
        names = frozenset(stage.name for stage in walk(stages))
        return replace(
            self,
            print_after="all" if self.print_after == "all" else self.print_after & names,
            dump_dir=None if self.dump_dir is None else self.dump_dir / folder,
            from_stage=None,
            stop_after=None,
            label=folder,
        )


def _no_schedule(name: str, options: Mapping[str, OptionValue], context: ir.Context) -> str:
    raise PipelineError("there are no schedules without a target", got=name)


def _no_select(module: ir.Module, stage: SelectStage) -> None:
    raise PipelineError("nothing can be selected without a target", where=stage.where)


def _no_kernels(module: ir.Module, stages: tuple[Stage, ...]) -> None:
    raise PipelineError("kernels cannot be compiled without a target")


def _register(context: ir.Context) -> None:
    from bellrock.dialects import register

    register(context)


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """What the stages of a pipeline need from outside."""

    features: frozenset[str] = frozenset()
    """Of the device; they decide `when: {feature: ...}`."""
    schedule: Callable[[str, Mapping[str, OptionValue], ir.Context], str] = _no_schedule
    """Gives the text of a transform module with one sequence, `__transform_main` where
    there are several: called with a schedule's name, its options and the context."""
    select: Callable[[ir.Module, SelectStage], None] = _no_select
    """Writes choices on the payload's ops."""
    kernels: Callable[[ir.Module, tuple[Stage, ...]], None] = _no_kernels
    """Runs stages on each outlined kernel, and leaves the host function behind."""
    register: Callable[[ir.Context], None] = _register
    """Makes dialects known to a context; called at each start."""
    snapshots: Snapshots = field(default_factory=Snapshots)
    target: str | None = None
    """The target's name, for a reproducer's command line."""
    lock: str | None = None
    """Text of the lock file in use, for a reproducer."""
