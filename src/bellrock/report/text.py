"""Records as CSV and as markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from bellrock.bench.record import Record, Status
from bellrock.report.columns import columns
from bellrock.report.summary import summarise, verdict_line
from bellrock.report.terminal import against_line


def to_csv(records: Sequence[Record]) -> str:
    """Return one row a record; numbers are raw, in the units that the headers end with."""
    shown = columns(records)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([c.name for c in shown])
    for record in records:
        writer.writerow(["" if (v := c.value(record)) is None else v for c in shown])
    return out.getvalue()


def to_markdown(records: Sequence[Record]) -> str:
    """Return summary, table and failures as GitHub-flavoured markdown."""
    shown = [c for c in columns(records) if not c.detail]
    summary = summarise(records)
    lines = [f"**{verdict_line(summary)}**", ""]
    lines += [f"* {against_line(a)}" for a in summary.against]
    lines += ["", _row([c.header for c in shown])]
    lines.append(_row(["--:" if c.numeric else ":--" for c in shown]))
    lines += [_row([_escape(c.text(record)) for c in shown]) for record in records]
    failed = [r for r in records if r.status is not Status.OK and r.failure is not None]
    if failed:
        lines += ["", "Failures:", ""]
    for record in failed:
        failure = record.failure
        if failure is not None:
            message = _escape(" ".join(failure.message.split()))
            place = f"({record.status}, at {failure.stage})"
            lines.append(f"* `{record.problem.name}` {place}: {message}")
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
