"""The process that starts the processes of problems.

It has loaded what every problem needs (torch, MLIR), and forks: a problem starts in
milliseconds instead of seconds, and still has a process, a process group and limits of its
own. It is started as `python -m bellrock.bench.zygote JOB PRELOAD...`; what is
preloaded is a module, or a call `module:function argument`.

Flows in, on standard input: one `Order` a line. Flows out, on standard output: one `Event`
a line. When its input ends, it ends all children and itself.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import os
import resource
import selectors
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import psutil
from pydantic import BaseModel, ConfigDict

from bellrock.bench.request import Notebook
from bellrock.bench.turns import LOOK_SECONDS, Turnstile
from bellrock.errors import BellrockError

WATCH_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


class Order(BaseModel):
    """Start one child."""

    model_config = ConfigDict(frozen=True)
    id: int
    request: str
    """What the job function gets: text of its own format."""
    folder: Path
    """The child's notebook."""
    time_limit_seconds: float
    memory_limit_bytes: int


class Event(BaseModel):
    """What happened."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["ready", "failed", "ended"]
    id: int = -1
    message: str = ""
    """Why it failed to get ready."""
    code: int = 0
    """Exit code; negative: the signal that ended it."""
    reason: Literal["", "timeout", "memory"] = ""
    """Which limit the child was ended for."""
    peak_memory_bytes: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Child:
    order: Order
    started: float
    inherited_bytes: int
    """What the zygote holds, which counts as the child's too and is not its doing."""
    reason: Literal["", "timeout", "memory"] = ""
    paused_seconds: float = 0.0
    """What it stood still for, while others were timed."""

    def seconds(self) -> float:
        """Return how long it has been at work."""
        return time.monotonic() - self.started - self.paused_seconds


class Zygote:
    """Single-threaded on purpose: a fork copies only the thread that calls it."""

    def __init__(self, job: str, channel: IO[str]) -> None:
        """Keep the dotted name `module:function` of the job, and where events go."""
        self._job, self._channel = job, channel
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._pending = b""
        self._wake_read, self._wake_write = os.pipe()
        self._turnstile: Turnstile | None = None

    def serve(self) -> None:
        """Start children as ordered until the input ends."""
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the wake-up below needs a handler
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._say(Event(kind="ready"))
        open_input = True
        while open_input:
            ready = {key.fd for key, _ in self._selector.select(self._patience())}
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
            self._reap()
            self._give_turns()
            self._watch()
            if 0 in ready:
                open_input = self._take_orders()
        for pid in list(self._children):
            end_group(pid)

    def _say(self, event: Event) -> None:
        self._channel.write(event.model_dump_json() + "\n")
        self._channel.flush()

    def _patience(self) -> float | None:
        if self._turnstile is not None and len(self._children) > 1:
            return LOOK_SECONDS
        return WATCH_SECONDS if self._children else None

    def _give_turns(self) -> None:
        if self._turnstile is not None:
            for pid, seconds in self._turnstile.look(self._children.keys()).items():
                self._children[pid].paused_seconds += seconds

    def _take_orders(self) -> bool:
        data = os.read(0, 1 << 16)
        self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            self._start(Order.model_validate_json(line))
        return bool(data)

    def _start(self, order: Order) -> None:
        if self._turnstile is None:
            self._turnstile = Turnstile(folder=order.folder.parent)
        inherited = _own_memory_bytes(psutil.Process())
        pid = os.fork()
        if pid == 0:
            _live(order, self._job, self._channel)
        self._children[pid] = _Child(
            order=order, started=time.monotonic(), inherited_bytes=inherited
        )

    def _reap(self) -> None:
        for pid in list(self._children):
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done == 0:
                continue
            child = self._children.pop(pid)
            end_group(pid)  # what the child started and left behind
            self._say(
                Event(
                    kind="ended", id=child.order.id, code=os.waitstatus_to_exitcode(status),
                    reason=child.reason, peak_memory_bytes=usage.ru_maxrss * 1024,
                    seconds=child.seconds(),
                )
            )  # fmt: skip

    def _watch(self) -> None:
        for pid, child in self._children.items():
            if child.reason or (self._turnstile and self._turnstile.standing_still(pid)):
                continue
            if child.seconds() > child.order.time_limit_seconds:
                child.reason = "timeout"
            elif _group_memory_bytes(pid) > child.order.memory_limit_bytes + child.inherited_bytes:
                child.reason = "memory"
            if child.reason:
                end_group(pid)


def _group_memory_bytes(pid: int) -> int:
    """Return the memory that a process and its descendants hold for themselves."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += _own_memory_bytes(process)
    except psutil.Error:
        return total  # ended meanwhile: it holds nothing
    return total


def _own_memory_bytes(process: psutil.Process) -> int:
    memory = process.memory_info()
    return memory.rss - memory.shared


def end_group(pid: int) -> None:
    """Kill a process, its group, and descendants that left the group."""
    try:
        strays = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        strays = []
    for kill in (lambda: os.killpg(pid, signal.SIGKILL), *(s.kill for s in strays)):
        try:
            kill()
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue  # gone already


def _live(order: Order, job: str, channel: IO[str]) -> None:
    """Be the child: never returns."""
    code = 1
    try:
        _settle(order, channel)
        module, _, function = job.partition(":")
        getattr(importlib.import_module(module), function)(order.request, order.folder)
        code = 0
    except BaseException:  # noqa: BLE001 (last line of defence; the driver reads the tail)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not `exit`: handlers of libraries loaded before the fork are not the child's.
        os._exit(code)


def _settle(order: Order, channel: IO[str]) -> None:
    """Cut the ties to the parent and take the limits on."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if sys.platform == "linux":
        # A zygote that is killed takes its children with it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    output = os.open(Notebook(order.folder).stderr_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, place in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, place)
    os.close(channel.fileno())
    faulthandler.enable()
    # Asking for too much fails at once, with a message; the watch ends what creeps up.
    limit = order.memory_limit_bytes + psutil.Process().memory_info().data
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _load(item: str) -> None:
    """Import `module`, or call `module:function argument`."""
    dotted, _, argument = item.partition(" ")
    name, _, function = dotted.partition(":")
    module = importlib.import_module(name)
    if function:
        getattr(module, function)(argument)


def main(job: str, preload: list[str]) -> None:
    """Load what children need, then serve."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print while loading is no event
    try:
        for item in preload:
            _load(item)
    except (BellrockError, ImportError, OSError) as error:
        message = str(error) if isinstance(error, BellrockError) else repr(error)
        channel.write(Event(kind="failed", message=message).model_dump_json() + "\n")
        channel.close()
        return
    gc.collect()
    gc.freeze()  # collections in children would copy the pages of everything loaded here
    Zygote(job, channel).serve()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
