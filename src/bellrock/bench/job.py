"""One problem end to end, in a process of its own.

Flows in: a `Request` and the folder of a `Notebook`. Flows out: the record, kept after each
step, so that whatever ends the process early leaves behind what was known by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.bench.account import Account
from bellrock.bench.ending import BASELINE_STEP
from bellrock.bench.failing import failure_of
from bellrock.bench.findings import (
    error_info,
    preparation_info,
    target_info,
    verdict_info,
    work_of,
)
from bellrock.bench.machine import machine_info
from bellrock.bench.memory import memory_info, memory_warnings
from bellrock.bench.record import (
    BaselineInfo,
    ChoiceRow,
    FailureInfo,
    StageTime,
    Status,
    kernel_warnings,
)
from bellrock.bench.request import Notebook, Request
from bellrock.bench.timing import time_programs
from bellrock.bench.turns import turn
from bellrock.payload.spec import DType

if TYPE_CHECKING:
    import torch

    from bellrock.api import CompiledModel
    from bellrock.compiler.compiled import Compiled
    from bellrock.ingress.problem import Problem
    from bellrock.params.lock import Lock
    from bellrock.target.base import Target


def run_job(text: str, folder: Path) -> None:
    """Work on one problem; every failure becomes part of the record.

    Args:
        text: the `Request`, as JSON.
        folder: of the notebook.
    """
    _run(text, folder, _Job.work)


def compile_job(text: str, folder: Path) -> None:
    """Import and compile one problem, and no more: `ok` means that there is code for it.

    Args:
        text: the `Request`, as JSON.
        folder: of the notebook.
    """
    _run(text, folder, _Job.compile_only)


def _run(text: str, folder: Path, work: Callable[[_Job], None]) -> None:
    notebook = Notebook(folder)
    job = _Job(Request.model_validate_json(text), notebook)
    try:
        work(job)
    except Exception as error:  # noqa: BLE001 (a problem's code may raise anything; it is a row)
        job.fail(error)
    notebook.keep(job.record)
    notebook.finish()


@dataclass(slots=True)
class _Subject:
    """The model under test, once it is there."""

    problem: Problem
    model: torch.nn.Module
    inputs: tuple[object, ...]
    target: Target
    dtype: DType


class _Job(Account):
    """The steps."""

    def work(self) -> None:
        """Do all that the request asks for."""
        import torch

        self._begin()
        if self.request.neighbours and not self.request.check_only:
            self.warn(f"compiled while up to {self.request.neighbours} other problems were at work")
        with torch.no_grad():
            with self.within("load"):
                subject = self._load()
            compiled = self._compile(subject)
            with self.within("run"):
                compiled(*subject.inputs)
            correct = self._verify(subject, compiled)
            if correct and not self.request.check_only:
                if compiled.timing_note:
                    self._describe(compiled)
                else:
                    self._measure(subject, compiled)
            self.warn(*compiled.warnings())

    def compile_only(self) -> None:
        """Stop when there is code; nothing is loaded or run."""
        import torch

        self._begin()
        with torch.no_grad():
            with self.within("load"):
                subject = self._load()
            with self.within("compile"):
                self._lower(subject)
        self.learn(status=Status.OK)

    def _begin(self) -> None:
        import torch

        from bellrock.toolchain import versions

        request = self.request
        # Threads of two problems that wait for each other on the same cores take many times as
        # long: all of the cores are for the one that is timed.
        jobs = 1 if request.check_only else request.neighbours + 1
        torch.set_num_threads(max(request.threads // jobs, 1))
        self.learn(machine=machine_info(), toolchain=dict(versions()))

    def _alone(self) -> AbstractContextManager[None]:
        """Have the machine to oneself, where other problems are at work."""
        if not self.request.neighbours:
            return nullcontext()
        with self.within("await turn"):
            return turn(self.notebook.folder.parent)

    def _load(self) -> _Subject:
        from bellrock.ingress.problem import load_problem
        from bellrock.target import TARGETS

        request, dtype = self.request, DType(self.request.dtype)
        target = TARGETS.get(request.target)
        self.learn(target=target_info(request.target, target.facts()))
        problem = load_problem(request.path, request.problem.overrides)
        built = problem.build(dtype=dtype, seed=request.seed)
        return _Subject(
            problem=problem, model=built.model, inputs=built.inputs, target=target, dtype=dtype
        )

    def _compile(self, subject: _Subject) -> CompiledModel:
        from bellrock import api

        request = self.request
        lock = self._lock()
        with self.within("compile"):
            model = api.compile(
                subject.model, subject.inputs, target=request.target, dtype=subject.dtype,
                lock=lock,
                pipeline=request.pipeline, cache_dir=request.cache_dir, use_cache=request.use_cache,
                jobs=request.threads, name=request.problem.name,
            )  # fmt: skip
        self._know(model.compiled, model.program.seconds, lock)
        return model

    def _lower(self, subject: _Subject) -> None:
        """Import and compile as `_compile` does, and load nothing."""
        from bellrock.compiler import compile_payload
        from bellrock.ingress.torch_export import import_module
        from bellrock.runtime.threads import share_openmp

        request, lock = self.request, self._lock()
        share_openmp()
        program = import_module(
            subject.model, subject.inputs, name=request.problem.name, dtype=subject.dtype
        )
        compiled = compile_payload(
            program.payload, target=request.target, pipeline=request.pipeline, lock=lock,
            cache_dir=request.cache_dir, use_cache=request.use_cache, jobs=request.threads,
        )  # fmt: skip
        self._know(compiled, program.seconds, lock)

    def _lock(self) -> Lock | None:
        from bellrock.params.lock import read_lock

        return read_lock(self.request.lock) if self.request.lock else None

    def _know(
        self, compiled: Compiled, import_seconds: Mapping[str, float], lock: Lock | None
    ) -> None:
        """Record what came of compiling."""
        kernels = compiled.kernels
        self.learn(
            import_seconds=dict(import_seconds),
            stages=tuple(StageTime(name=s.name, seconds=s.seconds) for s in compiled.stages),
            compile_seconds=compiled.compile_seconds, cached=compiled.cached, kernels=kernels,
            choices=tuple(
                ChoiceRow(
                    motif=row.motif, by=row.by, knobs=row.knobs,
                    parameters=dict(row.parameters), predicted_seconds=row.predicted_seconds,
                    measured_seconds=row.measured_seconds,
                )
                for row in compiled.choices
            ),
        )  # fmt: skip
        # A lock may serve many problems: which of its rows serve none, the run's end tells.
        unused = lock.unused(compiled.choices) if lock else ()
        self.warn(*(w for w in compiled.warnings if w not in unused), *kernel_warnings(kernels))

    def _verify(self, subject: _Subject, compiled: CompiledModel) -> bool:
        from bellrock.verify.run import verify
        from bellrock.verify.verdict import Subject

        request = self.request
        with self.within("verify"):
            verdict = verify(
                compiled,
                Subject(
                    name=request.problem.name,
                    model=subject.model,
                    make_inputs=lambda seed: subject.problem.inputs(
                        dtype=subject.dtype, seed=seed
                    ),
                ),
                dtype=subject.dtype, trials=request.trials, seed=request.seed,
                mutants=request.mutants, code_mutants=compiled.mutants,
            )  # fmt: skip
        correct = verdict.correct
        if request.tolerance is not None:
            correct = verdict.value <= request.tolerance
            self.warn(f"judged by the suite's tolerance {request.tolerance:g}, not the budget")
        self.learn(
            status=Status.OK if correct else Status.WRONG, correct=correct,
            error=error_info(verdict), verdict=verdict_info(verdict),
        )  # fmt: skip
        if not correct:
            self.learn(
                failure=FailureInfo(stage="verify", exception="wrong", message=verdict.message)
            )
        return correct

    def _describe(self, compiled: CompiledModel) -> None:
        """Record what is known without a clock, where times would mean nothing."""
        work = work_of(compiled.compiled.payload)
        self.learn(flops=work.flops, bytes=work.compulsory_bytes)
        self.warn(f"not timed: {compiled.timing_note}")

    def _measure(self, subject: _Subject, compiled: CompiledModel) -> None:
        import torch

        from bellrock.compiler.cache import default_folder

        torch.set_num_threads(self.request.threads)
        programs: dict[str, Callable[[], object]] = {"ours": lambda: compiled(*subject.inputs)}
        for name in self.request.against:
            call = self._baseline(name, subject.model, subject.inputs)
            if call is not None:
                programs[name] = call
        with self._alone(), self.within("measure"):
            memory = memory_info(compiled, subject.model, subject.inputs)
            self.learn(memory=memory)
            self.warn(*memory_warnings(memory))
            cache_dir = self.request.cache_dir or default_folder()
            facts = subject.target.measured_facts(cache_dir=cache_dir)
            self.learn(target=target_info(self.request.target, facts))
            work = work_of(compiled.compiled.payload)
            found = time_programs(
                programs, self.request, work=work, facts=facts, device=compiled,
                peak_program=subject.target.peak_program,
            )  # fmt: skip
        baselines = {
            name: info.model_copy(update={"time": found.times.get(name)})
            for name, info in self.record.baselines.items()
        }
        self.learn(preparation=preparation_info(compiled, subject.inputs))
        self.learn(
            time=found.times["ours"], baselines=baselines, speedup=found.speedup,
            noise_floor=found.noise_floor, flops=work.flops, bytes=work.compulsory_bytes,
            roofline=found.roofline,
        )  # fmt: skip
        self.warn(*found.warnings)
        if found.implausible:
            self.learn(
                status=Status.IMPLAUSIBLE,
                failure=FailureInfo(
                    stage="measure", exception="implausible", message=found.implausible
                ),
            )

    def _baseline(
        self, name: str, model: torch.nn.Module, inputs: Sequence[object]
    ) -> Callable[[], object] | None:
        """Prepare a baseline; its failure is its own."""
        from bellrock.bench.baseline import BASELINES

        lost = self.request.lost.get(name)
        if lost is not None:
            self.learn(baselines={**self.record.baselines, name: BaselineInfo(failure=lost)})
            return None
        folder = self.notebook.folder / f"baseline-{name}"
        folder.mkdir()
        with self.within(BASELINE_STEP + name):
            try:
                prepared = BASELINES.get(name).prepare(model, inputs, folder=folder)
            except Exception as error:  # noqa: BLE001 (theirs to fail as they like)
                info = BaselineInfo(failure=failure_of(error, self.step))
                self.learn(baselines={**self.record.baselines, name: info})
                return None
        info = BaselineInfo(compile_seconds=prepared.compile_seconds)
        self.learn(baselines={**self.record.baselines, name: info})
        return prepared.call
