"""From how a child ended to the record of its problem.

Flows in: the zygote's event and the notebook. Flows out: a record, or the request to try
again without the baseline that took the process down.
"""

from __future__ import annotations

import signal

from bellrock.bench.record import FailureInfo, Record, Status
from bellrock.bench.request import Notebook, Request
from bellrock.bench.zygote import Event

BASELINE_STEP = "baseline "
"""Steps of this prefix run a baseline, which is named after it."""


def settle(request: Request, notebook: Notebook, event: Event) -> Record | Request:
    """Say what came of a problem.

    Returns:
        the record, or, when a baseline took the process down, the request without it.
    """
    record = notebook.record()
    if event.code == 0 and notebook.finished() and record is not None:
        return _measured(record, event)
    status, exception, message = _cause(event, notebook)
    step = notebook.step()
    failure = FailureInfo(
        stage=step, exception=exception, message=message, stderr_tail=notebook.stderr_tail()
    )
    lost = step.removeprefix(BASELINE_STEP)
    if lost != step and lost not in request.lost:
        return request.model_copy(update={"lost": {**request.lost, lost: failure}})
    known = record or request.blank(status)
    return _measured(known.model_copy(update={"status": status, "failure": failure}), event)


def _measured(record: Record, event: Event) -> Record:
    return record.model_copy(
        update={
            "peak_memory_bytes": event.peak_memory_bytes or None,
            "wall_seconds": round(event.seconds, 3),
        }
    )


def _cause(event: Event, notebook: Notebook) -> tuple[Status, str, str]:
    """Return status, exception and message of a child that did not come to its end."""
    tail = notebook.stderr_tail()
    if event.reason == "timeout":
        return Status.TIMEOUT, "timeout", f"ended after {event.seconds:.0f} s, at the time limit"
    if event.reason == "memory":
        return Status.OUT_OF_MEMORY, "memory limit", "ended when it passed the memory limit"
    if looks_like_memory(tail):
        return Status.OUT_OF_MEMORY, _name(event.code), _last_line(tail)
    if event.code == -signal.SIGKILL:
        return (
            Status.OUT_OF_MEMORY, "SIGKILL",
            "killed from outside, which is what the system does when memory runs out",
        )  # fmt: skip
    if event.code < 0:
        return Status.CRASHED, _name(event.code), f"the process was ended by {_name(event.code)}"
    return Status.CRASHED, f"exit {event.code}", _last_line(tail) or "the process ended early"


def looks_like_memory(text: str) -> bool:
    """Return whether a message is one of those that allocators end with."""
    signs = ("bad_alloc", "MemoryError", "can't allocate memory", "not enough memory")
    return any(sign in text for sign in signs)


def _name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit {code}"


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip() if text else ""
