"""The table in the terminal.

Flows in: records. Flows out: rich renderables; the caller prints them.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from bellrock.bench.record import Outcome, Record, Status
from bellrock.report import units
from bellrock.report.columns import Column, all_warnings, columns
from bellrock.report.summary import Against, summarise, verdict_line

LEAST_FIRST = ("warnings", "peak_fraction", "_time_s", "launches", "kernels", "error", "compile_s")
"""Columns by the end of their name, in the order in which narrow terminals lose them."""
WARNED = 10
"""Problems whose warnings are printed; the other formats have all."""
_STATUS_STYLE = {Status.OK: "green", Status.WRONG: "bold red", Status.TIMEOUT: "yellow"}
_OUTCOME_STYLE = {Outcome.FASTER: "green", Outcome.SLOWER: "red", Outcome.SAME: "dim"}


def render(records: Sequence[Record], *, width: int | None = None) -> RenderableType:
    """Return table, failures, warnings and summary.

    Args:
        records: in the order they are to have.
        width: columns of the terminal; where the table is wider, what matters least is left
            out of it. None: as wide as it is.
    """
    parts: list[RenderableType] = [_fitting_table(records, width)]
    if failed := [r for r in records if r.status is not Status.OK]:
        parts += [Text("\nFailures", style="bold"), *(_failure(r) for r in failed)]
    if warned := [r for r in records if all_warnings(r)]:
        parts += [Text("\nWarnings", style="bold"), *(_warnings(r) for r in warned[:WARNED])]
        if len(warned) > WARNED:
            parts.append(Text(f"  and {len(warned) - WARNED} more problems", style="dim"))
    parts += [Text(), *_summary(records)]
    return Group(*parts)


def _fitting_table(records: Sequence[Record], width: int | None) -> Table:
    shown = [c for c in columns(records) if not c.detail]
    table = _table(records, shown)
    for ending in LEAST_FIRST:
        if width is None or _width(table) <= width:
            break
        shown = [c for c in shown if not c.name.endswith(ending)]
        table = _table(records, shown)
    return table


def _width(table: Table) -> int:
    console = Console(width=10_000)
    return Measurement.get(console, console.options, table).maximum


def _table(records: Sequence[Record], shown: Sequence[Column]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    longest = max((len(r.problem.name) for r in records), default=0)
    for column in shown:
        first = column is shown[0]
        table.add_column(
            column.header, justify="right" if column.numeric else "left", no_wrap=not first,
            overflow="fold", min_width=min(longest, 20) if first else None,
        )  # fmt: skip
    for record in records:
        table.add_row(*(_cell(column, record) for column in shown))
    return table


def _cell(column: Column, record: Record) -> Text:
    style = ""
    if column.name == "status":
        style = _STATUS_STYLE.get(record.status, "red")
    elif column.name.endswith("_speedup"):
        found = record.speedup.get(column.name.removesuffix("_speedup"))
        style = _OUTCOME_STYLE[found.outcome] if found else "dim"
    return Text(column.text(record), style=style)


def _failure(record: Record) -> Text:
    failure = record.failure
    text = Text.from_markup(f"  [red]{record.status}[/red] {escape(record.problem.name)}")
    if failure is not None:
        message = " ".join(failure.message.split())
        text.append(f" at {failure.stage}: {failure.exception}: {message}")
        if failure.reproducer:
            text.append(f" (reproducer: {failure.reproducer})")
    return text


def _warnings(record: Record) -> Text:
    return Text(f"  {record.problem.name}: {'; '.join(all_warnings(record))}", style="dim")


def _summary(records: Sequence[Record]) -> list[RenderableType]:
    summary = summarise(records)
    style = "bold green" if set(summary.counts) <= {Status.OK} else "bold red"
    return [
        Text(verdict_line(summary), style=style),
        *(Text(against_line(a)) for a in summary.against),
    ]


def against_line(a: Against) -> str:
    """Return one baseline's part of the summary in words."""
    text = f"against {a.baseline}: {units.ratio(a.geomean)}"
    if a.problems > 1:
        text += f" (geometric mean of {a.problems}, "
        text += f"95 % interval {a.ci95[0]:.2f} to {a.ci95[1]:.2f})"
    text += f"; {a.faster} faster, {a.slower} slower, {a.same} within noise"
    if a.failed:
        text += f", {a.failed} that {a.baseline} cannot run"
    if a.compile_median_s and a.ours_compile_median_s:
        text += (
            f"; compile time {units.seconds(a.ours_compile_median_s)} to its "
            f"{units.seconds(a.compile_median_s)} (medians)"
        )
    return text
