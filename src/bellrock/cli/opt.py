"""`bellrock opt`: MLIR in, a pipeline applied, MLIR out."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bellrock.cli._options import LOCK, with_options
from bellrock.cli._payloads import read_text
from bellrock.cli.pipeline import TARGET_OPTION, VARIABLES_OPTION, parse_variables

_FILE = click.Path(path_type=Path)


@click.command(
    "opt",
    short_help="Apply a pipeline to an MLIR module and print the result.",
    help="""Apply a pipeline to the module in FILE ('-', the default, is standard input) and
    print the result as text.

    --print-after and --from-stage take the names that `bellrock pipeline show` prints; a
    file that --dump-dir wrote is a fit input for --from-stage with the stage after it.""",
)
@click.argument("file", default="-", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--pipeline", required=True, metavar="NAME|FILE", help="Pipeline by name, or a .yaml file."
)
@TARGET_OPTION
@VARIABLES_OPTION
@click.option(
    "--print-after",
    multiple=True,
    metavar="STAGE",
    help="Print the module to standard error after this stage, or after 'all' (repeatable).",
)
@click.option("--dump-dir", type=_FILE, help="Write the module to this folder after each stage.")
@click.option("--from-stage", metavar="STAGE", help="Skip the stages before this one.")
@click.option("--stop-after", metavar="STAGE", help="Skip the stages after this one.")
@click.option("--reproducer-dir", type=_FILE, help="Where a failing stage leaves its folder.")
@with_options((LOCK,))
@click.option("-o", "--output", type=_FILE, help="Write the result here, not to standard output.")
def command(
    file: Path,
    pipeline: str,
    target: str,
    variables: tuple[str, ...],
    print_after: tuple[str, ...],
    dump_dir: Path | None,
    from_stage: str | None,
    stop_after: str | None,
    reproducer_dir: Path | None,
    lock: Path | None,
    output: Path | None,
) -> None:
    """Load everything that can be wrong first, then run."""
    from bellrock.compiler import environment_for, pipeline_for
    from bellrock.ingress.mlir_text import parse_module
    from bellrock.params.lock import read_lock
    from bellrock.pipeline.context import new_context
    from bellrock.pipeline.driver import run_pipeline
    from bellrock.pipeline.environment import Snapshots
    from bellrock.pipeline.snapshots import full_text

    snapshots = Snapshots(
        print_after="all" if "all" in print_after else frozenset(print_after),
        stream=sys.stderr,
        dump_dir=dump_dir,
        from_stage=from_stage,
        stop_after=stop_after,
        reproducer_dir=reproducer_dir,
    )
    loaded = pipeline_for(target, pipeline, parse_variables(variables))
    locked = None if lock is None else read_lock(lock)
    environment = environment_for(target, lock=locked, snapshots=snapshots)
    text = read_text(file)
    with new_context(environment.register):
        module = parse_module(text, "<stdin>" if str(file) == "-" else str(file))
        run_pipeline(loaded, module, environment)
        result = full_text(module.operation)
    if output is None:
        click.echo(result, nl=False)
    else:
        output.write_text(result, encoding="utf-8")
