"""Files that `bench` and `report` write beside the table, and that they can be written.

Flows in: records and paths. Flows out: files, all checked before the work and written whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from bellrock.bench.journal import probe
from bellrock.bench.record import Record


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
            _write(self.html, to_html(records, title=self.title))
        if self.csv is not None:
            _write(self.csv, to_csv(records))
        if self.markdown is not None:
            _write(self.markdown, to_markdown(records))


def is_stdout(path: Path | None) -> bool:
    """Return whether a path stands for standard output."""
    return path is not None and str(path) == "-"


def _write(path: Path, text: str) -> None:
    if is_stdout(path):
        click.echo(text, nl=False)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
