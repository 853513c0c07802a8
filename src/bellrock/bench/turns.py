"""The machine to oneself: problems that are at work side by side are timed one at a time.

Flows in: the folder that the problems of a run share, and their processes. Flows out: while
one problem holds the turn, the processes of all others stand still.

A problem takes the turn by a lock on a file, which the kernel gives back when a process ends
however it ends, and writes down who has it. The zygote, whose children the problems are,
stops the others and writes down for whom it is quiet; only then is the clock started.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOOK_SECONDS = 0.02
"""Between two looks at who holds the turn; what a turn costs beside its work."""


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Have the machine to oneself.

    Args:
        folder: that the problems of the run share; the zygote watches it.
    """
    holder = _Note(folder / "turn-holder")
    with (folder / "turn-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        holder.write(os.getpid())
        try:
            while _Note(folder / "turn-quiet").read() != os.getpid():
                time.sleep(LOOK_SECONDS)
            yield
        finally:
            holder.remove()


@dataclass(kw_only=True, slots=True)
class Turnstile:
    """The zygote's side: stops and continues the processes of problems."""

    folder: Path
    _holder: int | None = None
    _stopped: dict[int, float] = field(default_factory=dict)
    """Problem's process -> since when."""

    def look(self, problems: Collection[int]) -> dict[int, float]:
        """Do what the holder of the turn needs.

        Args:
            problems: processes of the problems that are at work.

        Returns:
            problem's process -> seconds that it stood still, of those that go on now.
        """
        holder = _Note(self.folder / "turn-holder").read()
        if holder not in problems:
            holder = None  # nobody has it, or one that died with it
        gone_on = self._continue(problems) if holder != self._holder else {}
        if holder is not None:
            for problem in problems:
                if problem != holder and problem not in self._stopped:
                    self._stopped[problem] = time.monotonic()
                    signal_tree(problem, signal.SIGSTOP)
            if holder != self._holder:
                _Note(self.folder / "turn-quiet").write(holder)
        self._holder = holder
        return gone_on

    def standing_still(self, problem: int) -> bool:
        """Return whether a problem's processes are stopped."""
        return problem in self._stopped

    def _continue(self, problems: Collection[int]) -> dict[int, float]:
        _Note(self.folder / "turn-quiet").remove()
        now, gone_on = time.monotonic(), {}
        for problem, since in self._stopped.items():
            if problem in problems:
                signal_tree(problem, signal.SIGCONT)
                gone_on[problem] = now - since
        self._stopped.clear()
        return gone_on


def signal_tree(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process and all its descendants, those in other groups too."""
    try:
        root = psutil.Process(pid)
        # The parent first: once it stands still it starts no more children.
        root.send_signal(number)
        reached = {root}
        while new := set(root.children(recursive=True)) - reached:
            for process in new:
                _signal(process, number)
            reached |= new
    except psutil.NoSuchProcess:
        return  # ended meanwhile


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


@dataclass(frozen=True, slots=True)
class _Note:
    """A process's number in a file; absent: nobody."""

    path: Path

    def write(self, pid: int) -> None:
        # Replaced in one step: the reader may come at any moment.
        draft = self.path.with_suffix(f".{pid}")
        draft.write_text(str(pid), encoding="ascii")
        draft.replace(self.path)

    def read(self) -> int | None:
        try:
            return int(self.path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
