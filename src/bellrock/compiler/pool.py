"""Compiling many kernels: here for few, in worker processes for many.

Flows in: kernel texts and the stages for them. Flows out: code and facts of each. Processes
and not threads, because MLIR's Python bindings and llvmlite each hold a lock while they
work. A worker is an interpreter of its own (`python -m bellrock.compiler.worker`), so that
nothing of the caller's main module runs again and no lock of its threads is inherited.
"""

from __future__ import annotations

import contextlib
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bellrock.errors import BellrockError, CompileError
from bellrock.pipeline.environment import Snapshots
from bellrock.target import TARGETS
from bellrock.target.base import KernelInfo, Target

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.pipeline.stage import Stage

KERNELS_PER_WORKER = 12
"""A worker takes about a second to start, in which this process compiles about as many."""

Outcome = tuple[KernelInfo, bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One kernel to compile."""

    name: str
    text: str
    """A module that holds the kernel's function."""
    motif: str
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What all kernels of a program share; sent to a worker once."""

    target: str
    stages: tuple[Stage, ...]
    snapshots: Snapshots


def new_context() -> ir.Context:
    """Return a context for compiling kernels in, one after the other.

    Making one takes as long as a small kernel's passes. What it interns stays in it, so it
    should not outlive a program's kernels by much.
    """
    from torch_mlir import ir

    from bellrock.dialects import register

    context = ir.Context()
    register(context)
    return context


def compile_one(job: Job, work: Work, context: ir.Context) -> Outcome:
    """Run one kernel through its stages and to code.

    Args:
        job: the kernel.
        work: what it shares with the others.
        context: of `new_context`; used by one kernel at a time.

    Raises:
        StageFailedError: a stage failed; its reproducer holds the kernel alone.
        CompileError: the code generator failed.
    """
    from torch_mlir import ir

    from bellrock.compiler.schedules import schedules_of
    from bellrock.pipeline.driver import run_pipeline
    from bellrock.pipeline.environment import Environment
    from bellrock.pipeline.stage import Pipeline

    start = time.perf_counter()
    target = TARGETS.get(work.target)
    with context, ir.Location.unknown(context):
        module = ir.Module.parse(job.text)
        environment = Environment(
            features=target.facts().features,
            schedule=schedules_of(target),
            snapshots=work.snapshots.within(work.stages, folder=job.name),
            target=target.name,
        )
        pipeline = Pipeline(name=job.name, summary="One kernel.", stages=work.stages)
        run_pipeline(pipeline, module, environment)
        emitted = target.emit(module, entries={})
    info = KernelInfo(
        name=job.name,
        motif=job.motif,
        calls=job.calls,
        path="vector" if emitted.vectorised else "scalar",
        vectorised=emitted.vectorised,
        parallel=emitted.parallel,
        compile_seconds=time.perf_counter() - start,
        cached=False,
        figures=emitted.figures,
    )
    return info, emitted.code


def compile_all(
    jobs: Sequence[Job],
    stages: tuple[Stage, ...],
    *,
    target: Target,
    workers: int,
    snapshots: Snapshots,
) -> Iterator[Outcome]:
    """Compile kernels, yielding each as it is done.

    Args:
        jobs: the kernels.
        stages: for each of them.
        target: whose code is wanted.
        workers: processes to use at the most, this one included.
        snapshots: what to print and dump; printing keeps all of them in this process.
    """
    work = Work(target=target.full_name, stages=stages, snapshots=replace(snapshots, stream=None))
    extra = 0 if snapshots.print_after else min(workers - 1, len(jobs) // KERNELS_PER_WORKER)
    if extra <= 0:
        local = replace(work, snapshots=snapshots)
        context = new_context()
        yield from (compile_one(job, local, context) for job in jobs)
        return
    todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
    # The largest first, so that none is left to the end alone.
    for job in sorted(jobs, key=lambda j: -len(j.text)):
        todo.put(job)
    threads = [
        threading.Thread(target=_drive, args=(work, todo, done), daemon=True) for _ in range(extra)
    ]
    for thread in threads:
        thread.start()
    yield from _share_work(work, todo, done, len(jobs))


def _share_work(
    work: Work,
    todo: queue.SimpleQueue[Job],
    done: queue.SimpleQueue[Outcome | BaseException],
    count: int,
) -> Iterator[Outcome]:
    """Compile in this process too, and yield what everyone finishes."""
    left, context = count, new_context()
    while left:
        try:
            job = todo.get_nowait()
        except queue.Empty:
            outcome = done.get()
            if isinstance(outcome, BaseException):
                raise outcome from None
            yield outcome
        else:
            yield compile_one(job, work, context)
        left -= 1


def _drive(
    work: Work, todo: queue.SimpleQueue[Job], done: queue.SimpleQueue[Outcome | BaseException]
) -> None:
    """Feed one worker process until nothing is left to do."""
    command = [sys.executable, "-m", "bellrock.compiler.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(work, process.stdin)
            process.stdin.flush()
            pickle.load(process.stdout)
            while True:
                job = todo.get_nowait()
                pickle.dump(job, process.stdin)
                process.stdin.flush()
                done.put(pickle.load(process.stdout))
        except queue.Empty:
            pass
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            done.put(_died(process))
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def _died(process: subprocess.Popen[bytes]) -> BellrockError:
    code = process.wait()
    return CompileError(
        "a compile worker ended while it compiled a kernel",
        got=f"signal {-code}" if code < 0 else f"exit code {code}",
        hint="run again with --jobs 1 to see which kernel, and its reproducer",
    )
