"""Jobs for tests of the driver: what a problem's process can do, good and bad, without torch."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bellrock.bench.record import (
    BaselineInfo,
    ChoiceRow,
    MutantInfo,
    Outcome,
    SpeedupInfo,
    Status,
    TimeInfo,
    VerdictInfo,
)
from bellrock.bench.request import Notebook, Request
from bellrock.errors import PipelineError


def by_name(text: str, folder: Path) -> None:
    """Do what the problem's name says."""
    request, notebook = Request.model_validate_json(text), Notebook(folder)
    notebook.enter("load")
    globals()[f"_{request.problem.name}"](request, notebook)


def _good(request: Request, notebook: Notebook) -> None:
    notebook.keep(request.blank(Status.OK).model_copy(update={"correct": True}))
    notebook.finish()


_good_too = _good


def _wrong(request: Request, notebook: Notebook) -> None:
    notebook.keep(request.blank(Status.WRONG).model_copy(update={"correct": False}))
    notebook.finish()


def _slow(request: Request, notebook: Notebook) -> None:
    time.sleep(1.0)
    _good(request, notebook)


def _segfault(request: Request, notebook: Notebook) -> None:
    notebook.enter("run")
    notebook.keep(request.blank(Status.CRASHED).model_copy(update={"compile_seconds": 1.5}))
    ctypes.string_at(0)


def _hang(request: Request, notebook: Notebook) -> None:
    notebook.enter("compile")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("grandchild", child.pid, flush=True)
    time.sleep(600)


def _greedy(request: Request, notebook: Notebook) -> None:
    notebook.enter("run")
    bytearray(1 << 40)


def _large(request: Request, notebook: Notebook) -> None:
    """Needs more than half of 1.2 GiB."""
    notebook.enter("run")
    bytearray(800 << 20)
    _good(request, notebook)


def _creeping(request: Request, notebook: Notebook) -> None:
    code = "import time; b = bytearray(b'x') * (300 << 20); time.sleep(600)"
    for _ in range(4):
        subprocess.Popen([sys.executable, "-c", code])
    time.sleep(600)


def _raises(request: Request, notebook: Notebook) -> None:
    raise RuntimeError("no such luck")


def _quits(request: Request, notebook: Notebook) -> None:
    os._exit(0)


def _killed(request: Request, notebook: Notebook) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _zygote_dies(request: Request, notebook: Notebook) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def _bad_pipeline(request: Request, notebook: Notebook) -> None:
    notebook.stop(PipelineError("unknown key", where="mine.yaml:3"))
    _good(request, notebook)


def _baseline_crashes(request: Request, notebook: Notebook) -> None:
    if "inductor" not in request.lost:
        notebook.enter("baseline inductor")
        ctypes.string_at(0)
    _good(request, notebook)


def _timed(request: Request, notebook: Notebook, *, ours: float, eager: float) -> None:
    def info(median: float) -> TimeInfo:
        return TimeInfo(
            median_s=median, p05_s=median, p95_s=median, ci95_s=(median, median), runs=20,
            mode="hot",
        )  # fmt: skip

    ratio = eager / ours
    outcome = Outcome.FASTER if ratio > 1 else Outcome.SLOWER
    notebook.keep(
        request.blank(Status.OK).model_copy(
            update={
                "correct": True, "compile_seconds": 1.25, "time": info(ours),
                "baselines": {"eager": BaselineInfo(time=info(eager), compile_seconds=0.0)},
                "speedup": {
                    "eager": SpeedupInfo(
                        ratio=ratio, ci95=(0.9 * ratio, 1.1 * ratio), outcome=outcome
                    )
                },
                "choices": (
                    ChoiceRow(motif="contraction", by="default", knobs="blocks",
                              parameters={"tile": (8, 32)}),
                ),
            }
        )
    )  # fmt: skip
    notebook.finish()


def _faster(request: Request, notebook: Notebook) -> None:
    _timed(request, notebook, ours=0.001, eager=0.002)


def _slower(request: Request, notebook: Notebook) -> None:
    _timed(request, notebook, ours=0.004, eager=0.002)


def _fooled(request: Request, notebook: Notebook) -> None:
    mutant = MutantInfo(name="zeros", rejected=False, able=True, value=0.1, eager_ratio=9.0)
    verdict = VerdictInfo(reference="f64", eager_value=0.1, mutants=(mutant,), seconds=0.1)
    notebook.keep(request.blank(Status.OK).model_copy(update={"verdict": verdict}))
    notebook.finish()
