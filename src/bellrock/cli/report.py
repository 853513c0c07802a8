"""`bellrock report`: records to a table, a page, CSV or markdown."""

from __future__ import annotations

from pathlib import Path

import click

from bellrock.errors import RecordError

_OUT = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command(
    "report",
    help="""Show records that `bellrock bench --json FILE` wrote.

    Prints a table, and writes the other formats that are asked for. Of two records of the
    same problem, target and dtype, the later one counts.""",
)
@click.argument(
    "records", nargs=-1, required=True, metavar="RECORDS...", type=click.Path(path_type=Path)
)
@click.option("--html", type=_OUT, metavar="FILE", help="Write a page with pictures.")
@click.option("--csv", type=_OUT, metavar="FILE", help="Write a table; '-' prints it alone.")
@click.option("--markdown", type=_OUT, metavar="FILE", help="Write a table; '-' prints it alone.")
@click.option("--title", default="Bellrock report", show_default=True, help="Title of the page.")
def command(
    records: tuple[Path, ...], html: Path | None, csv: Path | None, markdown: Path | None,
    title: str,
) -> int:  # fmt: skip
    """Read all records first, so that a malformed one spoils no output."""
    from bellrock.bench.record_file import read_records
    from bellrock.cli._outputs import Outputs, is_stdout, print_table

    found = {record.key: record for path in records for record in read_records(path)}
    if not found:
        raise RecordError(
            "no record in it", where=", ".join(map(str, records)),
            hint="`bellrock bench PATH... --json FILE` writes one for each problem",
        )  # fmt: skip
    outputs = Outputs(html=html, csv=csv, markdown=markdown, title=title)
    outputs.probe()
    outputs.write(tuple(found.values()))
    if not any(is_stdout(p) for p in (html, csv, markdown)):
        print_table(tuple(found.values()))
    return 0
