"""What is shown on standard error while problems run: a bar on a terminal, else lines.

Flows in: what the driver reports. Flows out: text for people; standard output stays free
for the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bellrock.bench.record import Record, Status
from bellrock.report import units


class ProgressDisplay:
    """An `Observer` of the driver; a context manager that owns the display."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._total = self._ended = 0
        if self._console.is_terminal:
            self._bar = Progress(
                BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("{task.description}"), console=self._console, transient=True,
                refresh_per_second=2,  # drawing takes time from what is measured
            )  # fmt: skip
            self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, total: int, skipped: int) -> None:
        """See `bellrock.bench.run.Observer`."""
        self._total = total
        if skipped:
            self._console.print(f"{skipped} known from before, {total} to do")
        if self._bar is not None:
            self._bar.update(self._task, total=total)

    def progress(self, steps: Mapping[str, str]) -> None:
        """See `bellrock.bench.run.Observer`."""
        if self._bar is not None and steps:
            text = ", ".join(f"{name}: {step}" for name, step in steps.items())
            self._bar.update(self._task, description=escape(text))

    def ended(self, record: Record) -> None:
        """See `bellrock.bench.run.Observer`."""
        self._ended += 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self._ended)
            if record.status is not Status.OK:
                self._console.print(f"[red]{record.status}[/red] {escape(record.problem.name)}")
            return
        width = len(str(self._total))
        self._console.print(
            f"[{self._ended:{width}}/{self._total}] {record.status:14} {record.problem.name}  "
            f"{units.seconds(record.wall_seconds)}",
            markup=False,
            soft_wrap=True,
        )
