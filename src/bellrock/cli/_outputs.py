"""Files that `bench` and `report` write beside the table, and that they can be written.

Flows in: records and paths. Flows out: files, all checked before the work and written whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from bellrock.bench.journal import probe
from bellrock.bench.record import Record

FILE_WIDTH = 200
"""Columns where the output is no terminal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outputs:
    """Where each format goes; None: not wanted; `-`: standard output."""

    html: Path | None = None
    csv: Path | None = None
    markdown: Path | None = None
    title: str = "Bellrock report"

    def probe(self) -> None:
        """Make sure that each file can be written.

        Raises:
            BenchError: one cannot.
        """
        for path in (self.html, self.csv, self.markdown):
            if path is not None and not is_stdout(path):
                probe(path)

    def write(self, records: Sequence[Record]) -> None:
        """Write each file."""
        from bellrock.report.html import to_html
        from bellrock.report.text import to_csv, to_markdown

        if self.html is not None:
            write_text(self.html, to_html(records, title=self.title))
        if self.csv is not None:
            write_text(self.csv, to_csv(records))
        if self.markdown is not None:
            write_text(self.markdown, to_markdown(records))


def console_for(*, stderr: bool) -> Console:
    """Return where text for people goes, wide enough where it is no terminal."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    return console


def print_table(records: Sequence[Record], *, stderr: bool = False) -> None:
    """Print the table: to fit a terminal, in full width to anything else."""
    from bellrock.report.terminal import render

    console = console_for(stderr=stderr)
    console.print(render(records, width=console.width))


def is_stdout(path: Path | None) -> bool:
    """Return whether a path stands for standard output."""
    return path is not None and str(path) == "-"


def write_text(path: Path, text: str) -> None:
    """Write a file, with the folders above it; `-` is standard output."""
    if is_stdout(path):
        click.echo(text, nl=False)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
