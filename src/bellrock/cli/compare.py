"""`bellrock compare`: two sets of records side by side, with significance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellrock.errors import UsageError

if TYPE_CHECKING:
    from bellrock.report.compare import Comparison

_IN = click.Path(path_type=Path)


@click.command(
    "compare",
    short_help="Compare the records of two runs, problem by problem.",
    help="""Compare the records in BEFORE with those in AFTER, problem by problem.

    The ratio is the time before over the time after: above one, it became faster. A
    difference counts when it exceeds the noise of both runs, and what the baselines
    themselves moved between them.

    Exit codes: 0; 1 with --fail-below, if a problem is surely below it, or broke.""",
)
@click.argument("before", type=_IN)
@click.argument("after", type=_IN)
@click.option(
    "--fail-below", type=click.FloatRange(min=0), metavar="RATIO",
    help="Fail if a ratio is surely below RATIO, or a problem that was ok is not.",
)  # fmt: skip
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table.")
def command(before: Path, after: Path, fail_below: float | None, as_csv: bool) -> int:
    """Read, compare, print."""
    from bellrock.bench.record_file import read_records
    from bellrock.cli._outputs import console_for
    from bellrock.report.compare import compare
    from bellrock.report.comparison_table import render, to_csv

    comparison = compare(read_records(before), read_records(after))
    if not comparison.changes:
        raise UsageError(
            "no problem is in both files",
            got=f"{_count(comparison.only_before)} before, {_count(comparison.only_after)} after",
            hint="compare runs of the same problems, target and dtype",
        )
    if as_csv:
        click.echo(to_csv(comparison), nl=False)
    else:
        console_for(stderr=False).print(render(comparison))
    return int(fail_below is not None and _fails(comparison, fail_below))


def _count(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3]) + (", ..." if names[3:] else "")
    return f"{len(names)} ({shown})" if names else "none"


def _fails(comparison: Comparison, limit: float) -> bool:
    return any(c.broke or (c.surely_below(limit)) for c in comparison.changes)
