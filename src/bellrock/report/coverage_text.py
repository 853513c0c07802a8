"""A coverage map as text: for a terminal, as Markdown, as JSON.

Flows in: `Coverage`. Flows out: rich renderables, or text.
"""

from __future__ import annotations

import json

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellrock.report.coverage import Coverage, Mark, Row

SCHEMA = 1
CULPRITS = 12
"""Ops that are listed in a terminal; files have all."""
_SIGNS = {Mark.PASSED: "+", Mark.FAILED: "X", Mark.NOT_REACHED: ".", Mark.UNKNOWN: "?"}
_STYLES = {
    Mark.PASSED: "green", Mark.FAILED: "bold red", Mark.NOT_REACHED: "dim", Mark.UNKNOWN: "yellow",
}  # fmt: skip


def render(found: Coverage, *, every: bool) -> RenderableType:
    """Return the map for a terminal.

    Args:
        found: the map.
        every: problems that passed everything as well.
    """
    shown = [r for r in found.rows if every or any(m is not Mark.PASSED for m in r.marks)]
    parts: list[RenderableType] = [_table(found, shown)] if shown else []
    parts += [Text(), _legend(found)]
    if found.culprits:
        parts += [Text("\nWhat stops the most problems", style="bold")]
        parts += [
            Text(f"{count:5}  {column}: {why}") for column, why, count in found.culprits[:CULPRITS]
        ]
    parts += [Text(), Text(_verdict(found), style="bold")]
    return Group(*parts)


def _table(found: Coverage, rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("problem", overflow="fold")
    table.add_column(f"1..{len(found.columns)}", no_wrap=True)
    table.add_column("stops in")
    table.add_column("first failing op, or why", overflow="fold")
    for row in rows:
        table.add_row(row.problem, _signs(row), _column(found, row), _why(row))
    return table


def _signs(row: Row) -> Text:
    text = Text()
    for mark in row.marks:
        text.append(_SIGNS[mark], style=_STYLES[mark])
    return text


def _column(found: Coverage, row: Row) -> str:
    if Mark.FAILED not in row.marks:
        return ""
    column = found.columns[row.marks.index(Mark.FAILED)]
    inner = f" ({row.stage})" if row.stage and row.stage not in column else ""
    return f"{column}{inner}"


def _legend(found: Coverage) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("step")
    table.add_column("passed", justify="right")
    for number, (column, passed) in enumerate(zip(found.columns, found.passed, strict=True), 1):
        table.add_row(f"{number:2} {column}", f"{passed}/{len(found.rows)}")
    return table


def _verdict(found: Coverage) -> str:
    on = f" ({found.device})" if found.device else ""
    return (
        f"{found.complete} of {len(found.rows)} problems come through on {found.target}{on}, "
        f"{found.dtype}"
    )


def to_markdown(found: Coverage) -> str:
    """Return the map as Markdown: counts, what stops problems, and a row for each problem."""
    lines = [f"# Coverage of {found.target}", "", f"{_verdict(found)}.", ""]
    lines += ["| step | passed |", "|---|---|"]
    lines += [
        f"| {column} | {passed}/{len(found.rows)} |"
        for column, passed in zip(found.columns, found.passed, strict=True)
    ]
    if found.culprits:
        lines += ["", "| stops in | first failing op, or why | problems |", "|---|---|---|"]
        lines += [f"| {column} | {_cell(why)} | {count} |" for column, why, count in found.culprits]
    lines += ["", "| problem | status | stops in | first failing op, or why | ways |"]
    lines += ["|---|---|---|---|---|"]
    lines += [
        f"| {_cell(row.problem)} | {row.status} | {_cell(_column(found, row))} "
        f"| {_cell(_why(row))} | {_ways(row)} |"
        for row in found.rows
    ]
    return "\n".join(lines) + "\n"


def _why(row: Row) -> str:
    return row.why if Mark.FAILED in row.marks else ""


def _ways(row: Row) -> str:
    return ", ".join(f"{count} {way}" for way, count in sorted(row.ways.items()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def to_json(found: Coverage) -> str:
    """Return the map as JSON."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "target": found.target,
            "device": found.device,
            "dtype": found.dtype,
            "columns": list(found.columns),
            "passed": list(found.passed),
            "complete": found.complete,
            "problems": [
                {
                    "problem": row.problem,
                    "status": row.status,
                    "marks": dict(zip(found.columns, row.marks, strict=True)),
                    "stage": row.stage,
                    "kernel": row.kernel,
                    "op": row.op,
                    "message": row.message,
                    "seconds": row.seconds,
                    "ways": dict(row.ways),
                }
                for row in found.rows
            ],
        },
        indent=2,
    )  # fmt: skip
