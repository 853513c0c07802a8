"""The record of one problem as it grows, kept after each change.

Flows in: what a step finds out, or raises. Flows out: the record, through a `Notebook`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bellrock.bench.failing import EVERYWHERE, failure_of, status_of
from bellrock.bench.record import Status
from bellrock.bench.request import Notebook, Request


class Account:
    """A record under way, and the step that is at work on it."""

    def __init__(self, request: Request, notebook: Notebook) -> None:
        self.request, self.notebook = request, notebook
        self.record = request.blank(Status.RUN_FAILED)
        self.step = "load"

    def fail(self, error: Exception) -> None:
        """Make an exception part of the record."""
        if isinstance(error, EVERYWHERE) and self.step in ("load", "compile"):
            self.notebook.stop(error)
        self.learn(status=status_of(error, self.step), failure=failure_of(error, self.step))

    def learn(self, **known: object) -> None:
        """Set fields of the record, and keep it."""
        self.record = self.record.model_copy(update=known)
        self.notebook.keep(self.record)

    def warn(self, *warnings: str) -> None:
        """Add reasons to distrust the record."""
        self.learn(warnings=(*self.record.warnings, *warnings))

    @contextmanager
    def within(self, step: str) -> Iterator[None]:
        """Say which step is at work: whatever ends the process ends it there."""
        self.step = step
        self.notebook.enter(step)
        yield
