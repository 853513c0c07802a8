"""`bellrock bench`: the main job. Problems in; a checked and timed verdict for each out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bellrock.cli._options import CACHE_DIR, LOCK, PIPELINE, WRITE_LOCK, with_options
from bellrock.cli._suites import LIMITS, WHAT, ended_like_an_interrupt
from bellrock.cli._values import Names, parse_overrides

if TYPE_CHECKING:
    from bellrock.bench.journal import Journal
    from bellrock.bench.record import Record
    from bellrock.bench.run import Options, Run
    from bellrock.bench.suite import SuiteEntry
    from bellrock.cli._outputs import Outputs

INTERRUPTED = 130
_OUT = click.Path(path_type=Path, dir_okay=False, allow_dash=True)

_HOW = (
    PIPELINE,
    LOCK,
    CACHE_DIR,
    click.option("--no-cache", is_flag=True, help="Compile anew and store nothing."),
    click.option("--check-only", is_flag=True, help="Compile and verify, without timing."),
    click.option("--trials", type=click.IntRange(min=1), default=3, show_default=True, metavar="N",
                 help="Comparisons of the verification: two on inputs of the problem's own, more "
                 "on other values; 1 for a timing after a full --check-only."),
    click.option("--mutants", is_flag=True,
                 help="Check the checker too: wrong answers must be rejected."),
    click.option("--against", type=Names(), default="eager,inductor", show_default=True,
                 help="Baselines, separated by commas; 'none' for none."),
    click.option("--mode", type=click.Choice(["hot", "cold"]), default="hot", show_default=True,
                 help="Time with the same buffers again, or with flushed caches."),
    click.option("--threads", type=click.IntRange(min=1), metavar="N",
                 help="Threads of each problem, ours and the baselines'  [default: all cores]"),
    click.option("--min-runs", type=click.IntRange(min=2), default=15, show_default=True,
                 metavar="N", help="Timed runs of each program at least."),
)  # fmt: skip
_OUTPUT = (
    click.option("--json", "json_path", type=_OUT, metavar="FILE",
                 help="Append each record to FILE as it is made; '-' prints the records alone."),
    click.option("--resume", is_flag=True,
                 help="Go on with the --json file of an earlier run: what is in it is not run "
                 "again, unless a time or memory limit or a crash cut it short."),
    click.option("--retry-failed", is_flag=True,
                 help="Like --resume, and run again all that is not 'ok'."),
    click.option("--html", type=_OUT, metavar="FILE", help="Write a page with pictures."),
    click.option("--csv", type=_OUT, metavar="FILE", help="Write a table."),
    click.option("--markdown", type=_OUT, metavar="FILE", help="Write a table."),
    WRITE_LOCK,
    click.option("--fail-below", type=click.FloatRange(min=0), metavar="RATIO",
                 help="Fail if a speed-up is surely below RATIO (its whole interval is)."),
)  # fmt: skip


@click.command(
    "bench",
    short_help="Compile, check and time problems beside PyTorch: the main job.",
    help="""Import, compile, verify and time problems, and compare them with baselines.

    PATH is a problem file, a folder of them, or a suite (.yaml). Each problem runs in a
    process of its own: a crash, a hang or a lack of memory is a row of the report.

    Exit codes: 0 all ok; 1 something is wrong, failed, or below --fail-below; 2 usage;
    130 interrupted (what was measured is kept and reported).""",
)
@with_options(WHAT, _HOW, LIMITS, _OUTPUT)
def command(
    paths: tuple[Path, ...], target: str, dtype: str, overrides: tuple[str, ...],
    only: str | None, sample: int | None, seed: int, kernelbench: Path | None,
    pipeline: str | None, lock: Path | None, cache_dir: Path | None, no_cache: bool,
    check_only: bool, trials: int, mutants: bool, against: tuple[str, ...],
    mode: Literal["hot", "cold"],
    threads: int | None, min_runs: int, jobs: int, time_limit: float, memory_limit: int | None,
    json_path: Path | None, resume: bool, retry_failed: bool, html: Path | None, csv: Path | None,
    markdown: Path | None, write_lock: Path | None, fail_below: float | None,
) -> int:  # fmt: skip
    """Check everything that can be checked, run, report."""
    from bellrock.bench.journal import probe
    from bellrock.bench.run import Options
    from bellrock.bench.suite import expand_paths
    from bellrock.cli._outputs import Outputs, is_stdout

    if mutants and trials == 1:
        raise click.UsageError("--mutants needs two --trials at least: it compares two answers.")
    resume, flag = resume or retry_failed, "--retry-failed" if retry_failed else "--resume"
    if resume and (json_path is None or is_stdout(json_path)):
        raise click.UsageError(f"{flag} needs the --json FILE of the run to go on with.")
    options = Options(
        target=target, dtype=dtype, seed=seed, against=against,
        overrides=parse_overrides(overrides), pipeline=pipeline, lock=lock,
        cache_dir=cache_dir, use_cache=not no_cache,
        check_only=check_only, trials=trials, mutants=mutants, mode=mode,
        threads=threads, jobs=jobs, min_runs=min_runs, time_limit_seconds=time_limit,
        memory_limit_bytes=memory_limit, retry_failed=retry_failed,
    )  # fmt: skip
    _check_names(options)
    outputs = Outputs(html=html, csv=csv, markdown=markdown)
    outputs.probe()
    if write_lock is not None:
        probe(write_lock)
    entries = expand_paths(paths, kernelbench=kernelbench, only=only, sample=sample, seed=seed)
    run = _measure(entries, options, json_path, resume=resume)
    if run.records or run.stopped is None:
        _report(run, outputs, json_path=json_path, write_lock=write_lock)
    if run.stopped is not None:
        raise run.stopped
    if lock is not None:
        _tell_unused(lock, run.records)
    if run.interrupted:
        click.echo(f"Interrupted: {len(run.records)} of {run.total} problems were done.", err=True)
        return INTERRUPTED
    return _exit_code(run.records, fail_below)


def _check_names(options: Options) -> None:
    """Raise `UsageError` before anything runs."""
    from bellrock.bench.baseline import BASELINES
    from bellrock.compiler import pipeline_for
    from bellrock.params.lock import read_lock
    from bellrock.target import TARGETS

    for registry, names in ((TARGETS, (options.target,)), (BASELINES, options.against)):
        for name in names:
            registry.require(name)
    if options.lock is not None:
        read_lock(options.lock).check_target(options.target)
    if options.pipeline is not None:
        pipeline_for(options.target, options.pipeline)


def _measure(
    entries: Sequence[SuiteEntry], options: Options, json_path: Path | None, *, resume: bool
) -> Run:
    from bellrock.bench.journal import Journal
    from bellrock.bench.run import bench
    from bellrock.cli._progress import ProgressDisplay

    for entry in entries:
        if entry.skip is not None:
            click.echo(f"skipped {entry.name}: {entry.skip}", err=True)
    wanted = [entry for entry in entries if entry.skip is None]
    journal: Journal | None = Journal(json_path, resume=resume) if json_path else None
    try:
        with ended_like_an_interrupt(), ProgressDisplay() as display:
            return bench(wanted, options, observer=display, journal=journal)
    finally:
        if journal is not None:
            journal.close()


def _report(run: Run, outputs: Outputs, *, json_path: Path | None, write_lock: Path | None) -> None:
    from bellrock.cli._outputs import is_stdout, print_table

    taken = any(is_stdout(p) for p in (json_path, outputs.html, outputs.csv, outputs.markdown))
    print_table(run.records, stderr=taken)  # first: a file may turn out not to be writable
    outputs.write(run.records)
    if write_lock is not None:
        _write_lock(run.records, write_lock)


def _write_lock(records: Sequence[Record], path: Path) -> None:
    from bellrock.params.lock import Lock, LockRow

    rows = {row.motif: row for record in records for row in record.choices}
    targets = {record.target.name for record in records}
    Lock(
        rows=tuple(LockRow(**row.model_dump()) for row in rows.values()),
        target=targets.pop() if len(targets) == 1 else "",
    ).write(path)


def _tell_unused(lock: Path, records: Sequence[Record]) -> None:
    """Name the rows of a lock that matched no op of any problem."""
    from bellrock.params.lock import LockRow, read_lock

    used = [LockRow(**row.model_dump()) for record in records for row in record.choices]
    for warning in read_lock(lock).unused(used):
        click.echo(f"Warning: {warning}.", err=True)


def _exit_code(records: Sequence[Record], fail_below: float | None) -> int:
    from bellrock.bench.record import Status

    unusable = [
        r.status is Status.IMPORT_FAILED and r.failure and r.failure.exception == "ProblemError"
        for r in records
    ]
    if records and all(unusable):
        return 2  # what the caller asked for does not exist or does not fit
    wrong = any(r.status is not Status.OK for r in records)
    fooled = any(r.verdict is not None and r.verdict.accepted_mutants for r in records)
    slow = fail_below is not None and any(
        s.ci95[1] < fail_below for r in records for s in r.speedup.values()
    )
    return int(wrong or fooled or slow)
