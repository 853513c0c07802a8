"""A comparison for people and for spreadsheets.

Flows in: a `Comparison`. Flows out: a rich renderable, or CSV.
"""

from __future__ import annotations

import csv
import io
from collections import Counter

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellrock.bench.record import Outcome, Record
from bellrock.report import units
from bellrock.report.compare import Change, Comparison

_STYLE = {Outcome.FASTER: "green", Outcome.SLOWER: "red", Outcome.SAME: "dim"}


def render(comparison: Comparison) -> RenderableType:
    """Return the table and what it says as a whole."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for header in ("problem", "before", "after", "ratio", "95 % interval", "verdict", "notes"):
        numeric = header in ("before", "after", "ratio", "95 % interval")
        table.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for change in comparison.changes:
        table.add_row(*_cells(change))
    return Group(table, Text(), *_summary(comparison))


def to_csv(comparison: Comparison) -> str:
    """Return one row a problem, numbers raw."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["problem", "status_before", "status_after", "before_s", "after_s", "ratio", "ci95_low",
         "ci95_high", "verdict", "notes"]
    )  # fmt: skip
    for c in comparison.changes:
        low, high = c.ci95 or ("", "")
        writer.writerow(
            [c.name, c.before.status.value, c.after.status.value, _median(c.before) or "",
             _median(c.after) or "", c.ratio or "", low, high, c.outcome or "",
             "; ".join(c.notes)]
        )  # fmt: skip
    return out.getvalue()


def _cells(change: Change) -> list[Text]:
    interval = f"{change.ci95[0]:.2f} to {change.ci95[1]:.2f}" if change.ci95 else ""
    style = "bold red" if change.broke else _STYLE[change.outcome] if change.outcome else "dim"
    verdict = "broke" if change.broke else change.outcome.value if change.outcome else ""
    return [
        Text(change.name), Text(units.seconds(_median(change.before))),
        Text(units.seconds(_median(change.after))), Text(units.ratio(change.ratio), style=style),
        Text(interval), Text(verdict, style=style), Text("; ".join(change.notes), style="dim"),
    ]  # fmt: skip


def _summary(comparison: Comparison) -> list[Text]:
    lines = []
    if comparison.geomean is not None:
        mean, low, high = comparison.geomean
        counts = Counter(c.outcome for c in comparison.changes if c.outcome)
        measured = sum(counts.values())
        lines.append(
            Text(
                f"after is {mean:.2f}x as fast (geometric mean of {measured}, 95 % interval "
                f"{low:.2f} to {high:.2f}); {counts[Outcome.FASTER]} faster, "
                f"{counts[Outcome.SLOWER]} slower, {counts[Outcome.SAME]} same"
            )
        )
    broke = sum(c.broke for c in comparison.changes)
    if broke:
        lines.append(Text(f"{broke} broke", style="bold red"))
    for label, names in (("before", comparison.only_before), ("after", comparison.only_after)):
        if names:
            lines.append(Text(f"only {label}: {', '.join(names)}", style="dim"))
    return lines


def _median(record: Record) -> float | None:
    return record.time.median_s if record.time else None
