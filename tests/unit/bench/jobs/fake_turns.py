"""Jobs that take turns, and one that looks on from a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bellrock.bench.record import Status
from bellrock.bench.request import Notebook, Request
from bellrock.bench.turns import turn

TURN_SECONDS, ONLOOKER_SECONDS = 1.2, 2.2
_TICK = """
import sys, time
while True:
    print(time.monotonic(), flush=True)
    time.sleep(0.005)
"""


def by_name(text: str, folder: Path) -> None:
    """Do what the problem's name says."""
    request, notebook = Request.model_validate_json(text), Notebook(folder)
    told = {"ticks": _ticks, "dies": _dies}.get(request.problem.name, _turn)(folder)
    record = request.blank(Status.OK)
    notebook.keep(record.model_copy(update={"warnings": (json.dumps(told),)}))
    notebook.finish()


def _turn(folder: Path) -> list[float]:
    time.sleep(1.0)  # so that the onlooker is at work before the first turn
    with turn(folder.parent):
        begin = time.monotonic()
        while time.monotonic() - begin < TURN_SECONDS:
            pass
        return [begin, time.monotonic()]


def _dies(folder: Path) -> list[float]:
    with turn(folder.parent):
        os.kill(os.getpid(), signal.SIGSEGV)
    return []


def _ticks(folder: Path) -> list[float]:
    """Ticks of a child in a session of its own, until it has been at work for long enough."""
    child = subprocess.Popen(
        [sys.executable, "-c", _TICK], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    ticks = [float(child.stdout.readline())]
    at_work = 0.0
    while at_work < ONLOOKER_SECONDS:
        ticks.append(float(child.stdout.readline()))
        at_work += min(ticks[-1] - ticks[-2], 0.1)
    child.kill()
    child.wait()
    return ticks
