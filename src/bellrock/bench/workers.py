"""The driver's end of the zygote: orders go in, ends of children come out.

Flows in: requests. Flows out: `Event`s. A zygote that dies is started again; its children
are reported as ended by a signal.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from bellrock.bench.zygote import Event, Order
from bellrock.errors import BenchError

READY_SECONDS = 120.0


class Workers:
    """Processes of problems, by way of one zygote. Not for use from several threads.

    Use as a context manager: leaving it ends every child.
    """

    def __init__(self, *, job: str, preload: Sequence[str], environment: Mapping[str, str]) -> None:
        """Remember what to start; the zygote starts with the first order.

        Args:
            job: dotted name `module:function`, called with the request's text and the folder.
            preload: what the zygote loads before it forks (see `bellrock.bench.zygote`).
            environment: variables set for it, beside those of this process.
        """
        self._command = [sys.executable, "-m", "bellrock.bench.zygote", job, *preload]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._pending = b""
        self._running: dict[int, float] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all children."""
        self.close()

    def submit(self, order: Order) -> None:
        """Start a child.

        Raises:
            BenchError: the zygote cannot start (e.g. a package is missing).
        """
        process = self._zygote()
        assert process.stdin is not None
        process.stdin.write(order.model_dump_json().encode() + b"\n")
        process.stdin.flush()
        self._running[order.id] = time.monotonic()

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return the children that ended, waiting for the first if there is none yet."""
        if self._process is None:
            return []
        events, alive = self._read(self._process, timeout_seconds)
        ended = [e for e in events if e.kind == "ended"]
        for event in ended:
            self._running.pop(event.id, None)
        return ended if alive else ended + self._lost()

    def close(self) -> None:
        """End all children and the zygote."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()  # the zygote ends its children when its input ends
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close_pipes(process)
        self._log.close()

    def _zygote(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
                env=self._environment, start_new_session=True,
            )  # fmt: skip
            self._await_ready(self._process)
        return self._process

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            events, alive = self._read(process, 1.0)
            for event in events:
                if event.kind == "ready":
                    return
                raise BenchError("the processes of problems cannot start", got=event.message)
            if not alive:
                break
        process.kill()
        raise BenchError(
            "the processes of problems cannot start", got=self._log_tail() or "no output"
        )

    def _read(
        self, process: subprocess.Popen[bytes], timeout_seconds: float
    ) -> tuple[list[Event], bool]:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout_seconds):
                return [], True
        data = os.read(process.stdout.fileno(), 1 << 16)
        self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        return [Event.model_validate_json(line) for line in lines], bool(data)

    def _lost(self) -> list[Event]:
        """The zygote is gone: so are its children, and the next order starts another."""
        if self._process is not None:
            self._process.wait()
            _close_pipes(self._process)
        self._process, self._pending = None, b""
        now = time.monotonic()
        lost = [
            Event(kind="ended", id=i, code=-signal.SIGKILL, seconds=now - started)
            for i, started in self._running.items()
        ]
        self._running.clear()
        return lost

    def _log_tail(self) -> str:
        self._log.seek(0)
        return self._log.read()[-2000:].decode(errors="replace").strip()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for notebooks, removed with all in it when closed."""
    return tempfile.TemporaryDirectory(prefix="bellrock-bench-", ignore_cleanup_errors=True)


def notebook_folder(root: Path, number: int) -> Path:
    """Make and return the folder of one child."""
    folder = root / str(number)
    folder.mkdir()
    return folder
