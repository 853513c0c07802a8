"""`bellrock coverage`: how far each problem of a suite comes on a target, and what stops it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellrock.cli._options import CACHE_DIR, PIPELINE, with_options
from bellrock.cli._suites import LIMITS, WHAT, ended_like_an_interrupt
from bellrock.cli._values import parse_overrides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellrock.bench.run import Options, Run
    from bellrock.bench.suite import SuiteEntry
    from bellrock.report.coverage import Coverage

INTERRUPTED = 130
COMPILE_JOB = "bellrock.bench.job:compile_job"
_OUT = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_HOW = (
    click.option("--to", "last", type=click.Choice(["compile", "verify"]), default="verify",
                 show_default=True, help="Last step: 'compile' loads and runs nothing."),
    click.option("--all", "every", is_flag=True, help="Show problems that come through, too."),
    PIPELINE,
    CACHE_DIR,
    click.option("--no-cache", is_flag=True, help="Compile anew and store nothing."),
)  # fmt: skip
_OUTPUT = (
    click.option("--json", "json_path", type=_OUT, metavar="FILE",
                 help="Write the map as JSON; '-' prints it alone."),
    click.option("--markdown", type=_OUT, metavar="FILE",
                 help="Write the map as Markdown; '-' prints it alone."),
)  # fmt: skip


@click.command(
    "coverage",
    short_help="Show how far each problem of a suite comes on a target, and what stops it.",
    help="""Show a map of problems and steps: which step of the target's pipeline each problem
    stops in, and at which op.

    PATH is a problem file, a folder of them, or a suite (.yaml). Each problem runs in a
    process of its own: a crash or a hang is a row of the map. Steps are the entries of the
    target's pipeline, between import and results that agree with PyTorch's.

    Exit codes: 0 all come through; 1 some do not; 2 usage; 130 interrupted.""",
)
@with_options(WHAT, _HOW, LIMITS, _OUTPUT)
def command(
    paths: tuple[Path, ...], target: str, dtype: str, overrides: tuple[str, ...],
    only: str | None, sample: int | None, seed: int, kernelbench: Path | None,
    last: str, every: bool, pipeline: str | None, cache_dir: Path | None, no_cache: bool,
    jobs: int, time_limit: float, memory_limit: int | None,
    json_path: Path | None, markdown: Path | None,
) -> int:  # fmt: skip
    """Check everything that can be checked, run, draw the map."""
    from bellrock.bench.run import Options
    from bellrock.bench.suite import expand_paths
    from bellrock.compiler import pipeline_for
    from bellrock.report.coverage import coverage, plan_of

    plan = plan_of(pipeline_for(target, pipeline), verified=last == "verify")
    _probe(json_path, markdown)
    options = Options(
        target=target, dtype=dtype, seed=seed, overrides=parse_overrides(overrides),
        pipeline=pipeline, cache_dir=cache_dir, use_cache=not no_cache, check_only=True,
        jobs=jobs, time_limit_seconds=time_limit, memory_limit_bytes=memory_limit,
    )  # fmt: skip
    entries = expand_paths(paths, kernelbench=kernelbench, only=only, sample=sample, seed=seed)
    run = _work(entries, options, compile_only=last == "compile")
    found = coverage(run.records, plan, target=target, dtype=dtype)
    if run.records or run.stopped is None:
        _report(found, every=every, json_path=json_path, markdown=markdown)
    if run.stopped is not None:
        raise run.stopped
    if run.interrupted:
        click.echo(f"Interrupted: {len(run.records)} of {run.total} problems were done.", err=True)
        return INTERRUPTED
    return int(found.complete < len(found.rows))


def _work(entries: Sequence[SuiteEntry], options: Options, *, compile_only: bool) -> Run:
    from bellrock.bench.run import bench
    from bellrock.cli._progress import ProgressDisplay

    for entry in entries:
        if entry.skip is not None:
            click.echo(f"skipped {entry.name}: {entry.skip}", err=True)
    wanted = [entry for entry in entries if entry.skip is None]
    with ended_like_an_interrupt(), ProgressDisplay() as display:
        return bench(wanted, options, observer=display, job=COMPILE_JOB if compile_only else None)


def _probe(*paths: Path | None) -> None:
    from bellrock.bench.journal import probe
    from bellrock.cli._outputs import is_stdout

    for path in paths:
        if path is not None and not is_stdout(path):
            probe(path)


def _report(found: Coverage, *, every: bool, json_path: Path | None, markdown: Path | None) -> None:
    from bellrock.cli._outputs import console_for, is_stdout, write_text
    from bellrock.report.coverage_text import render, to_json, to_markdown

    taken = is_stdout(json_path) or is_stdout(markdown)
    console_for(stderr=taken).print(render(found, every=every))
    if json_path is not None:
        write_text(json_path, to_json(found) + "\n")
    if markdown is not None:
        write_text(markdown, to_markdown(found))
