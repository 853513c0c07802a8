"""The driver: each problem in a process of its own, each record kept as soon as it is made.

Flows in: problems of a suite and options. Flows out: records, appended to a JSON Lines file
and handed to an observer as each problem ends. Loads neither torch nor MLIR, so that its
memory stays small however many problems there are.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import psutil

from bellrock.bench.ending import settle
from bellrock.bench.journal import Journal
from bellrock.bench.machine import available_cores
from bellrock.bench.record import FailureInfo, ProblemInfo, Record, Status
from bellrock.bench.request import Notebook, Request
from bellrock.bench.suite import SuiteEntry
from bellrock.bench.suite_file import OverrideValue
from bellrock.bench.workers import Workers, notebook_folder, scratch_folder
from bellrock.bench.zygote import Order
from bellrock.errors import BellrockError, ProblemError
from bellrock.ingress.problem import load_problem

JOB = "bellrock.bench.job:run_job"
PRELOAD = ("bellrock.bench.preload",)
TICK_SECONDS = 0.25
_CUT_SHORT = frozenset({Status.TIMEOUT, Status.CRASHED, Status.OUT_OF_MEMORY})
"""Ends that say more of the limits and of the machine than of the problem."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How a run is done."""

    target: str = "cpu"
    dtype: str = "f32"
    seed: int = 0
    against: tuple[str, ...] = ("eager", "inductor")
    overrides: Mapping[str, OverrideValue] = field(default_factory=dict)
    """On top of each problem's own."""
    pipeline: str | None = None
    lock: Path | None = None
    cache_dir: Path | None = None
    """None: the user's."""
    use_cache: bool = True
    check_only: bool = False
    trials: int = 3
    mutants: bool = False
    mode: Literal["hot", "cold"] = "hot"
    threads: int | None = None
    """None: all cores; shared among the jobs where nothing is timed."""
    jobs: int = 1
    min_runs: int = 15
    time_limit_seconds: float = 600.0
    """Of one problem."""
    memory_limit_bytes: int | None = None
    """Of one problem; None: nine tenths of what is free, shared among the jobs. What the share is
    too little for runs again alone."""
    retry_failed: bool = False
    """Whether problems run again that the journal says have failed, for whatever reason."""


class Observer(Protocol):
    """Sees a run as it goes; what it raises ends the run."""

    def begin(self, total: int, skipped: int) -> None:
        """The run starts: `total` problems to do, `skipped` known from before."""
        ...

    def progress(self, steps: Mapping[str, str]) -> None:
        """A moment passed: problem -> step of those at work."""
        ...

    def ended(self, record: Record) -> None:
        """A problem ended, and its record has been written."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What came of it."""

    records: tuple[Record, ...]
    """In the order of the suite; with `resume`, those known from before too."""
    total: int
    """Problems that were asked for."""
    interrupted: bool
    stopped: BellrockError | None
    """What ended the run before its last problem."""


def bench(
    entries: Sequence[SuiteEntry],
    options: Options,
    *,
    observer: Observer,
    journal: Journal | None = None,
    job: str | None = None,
    preload: Sequence[str] | None = None,
) -> Run:
    """Run problems, each in a process of its own.

    Args:
        entries: the problems.
        options: how.
        observer: told of the progress.
        journal: where records are kept; those in it already are not made again, unless a
            limit or a crash cut the problem short.
        job: dotted name of what the child does; None: `JOB`.
        preload: modules the children start with; None: `PRELOAD`.

    Returns:
        the records, also when the run was interrupted, or stopped by an error that ends it
        for all problems (no child can be started, a record cannot be written, the pipeline
        is malformed).
    """
    requests = [_request(entry, options) for entry in entries]
    driver = _Driver(options, observer, journal)
    interrupted, stopped = False, None
    environment = {"OMP_NUM_THREADS": str(_threads(options))}
    with (
        scratch_folder() as scratch,
        Workers(
            job=job or JOB,
            preload=_preload(options) if preload is None else preload,
            environment=environment,
        ) as workers,
    ):
        try:
            driver.work(requests, workers, Path(scratch))
        except KeyboardInterrupt:
            interrupted = True
        except BellrockError as error:
            stopped = error
    keys = [request.blank(Status.OK).key for request in requests]
    records = tuple(driver.done[key] for key in dict.fromkeys(keys) if key in driver.done)
    return Run(records=records, total=len(requests), interrupted=interrupted, stopped=stopped)


class _Driver:
    """State of one run."""

    def __init__(self, options: Options, observer: Observer, journal: Journal | None) -> None:
        self.options, self.observer, self.journal = options, observer, journal
        self.done: dict[tuple[str, ...], Record] = {}
        self._running: dict[int, tuple[Request, Notebook]] = {}
        self._number = 0
        self._waiting: deque[Request] = deque()
        self._alone: deque[Request] = deque()
        """What a share of the memory was too little for: after the others, one by one."""

    def work(self, requests: Sequence[Request], workers: Workers, scratch: Path) -> None:
        waiting = self._waiting = deque(r for r in requests if not self._known(r))
        self.observer.begin(len(waiting), len(requests) - len(waiting))
        whole = memory_limit_bytes(self.options)
        share = self.options.memory_limit_bytes or whole // self.options.jobs
        while waiting or self._running or self._alone:
            while waiting and len(self._running) < self.options.jobs:
                self._start(waiting.popleft(), workers, scratch, share)
            if self._alone and not self._running:
                self._start(self._alone.popleft(), workers, scratch, whole)
            for event in workers.wait(TICK_SECONDS):
                request, notebook = self._running.pop(event.id)
                if error := notebook.stopped():
                    raise error
                self._settle(request, settle(request, notebook, event))
            self.observer.progress({r.problem.name: n.step() for r, n in self._running.values()})

    def _settle(self, request: Request, came: Record | Request) -> None:
        """Keep a record, or have the problem run again."""
        if isinstance(came, Request):
            self._waiting.appendleft(came)
        elif (
            came.status is Status.OUT_OF_MEMORY
            and request.neighbours
            and self.options.memory_limit_bytes is None
        ):
            self._alone.append(request.model_copy(update={"neighbours": 0}))
        else:
            self._finish(came)

    def _known(self, request: Request) -> bool:
        """Whether the journal has all that is asked for.

        Checked is not yet measured, and what was cut short has not been answered.
        """
        record = self.journal.find(request.blank(Status.OK).key) if self.journal else None
        if record is None or (record.check_only and not request.check_only):
            return False
        if record.status in _CUT_SHORT:
            return False
        if self.options.retry_failed and record.status is not Status.OK:
            return False
        self.done[record.key] = record
        return True

    def _start(self, request: Request, workers: Workers, scratch: Path, limit: int) -> None:
        try:
            load_problem(request.path, request.problem.overrides)
        except ProblemError as error:  # no process is needed to say so
            failure = FailureInfo(stage="load", exception="ProblemError", message=str(error))
            self._finish(request.blank(Status.IMPORT_FAILED, failure))
            return
        self._number += 1
        notebook = Notebook(notebook_folder(scratch, self._number))
        order = Order(
            id=self._number, request=request.model_dump_json(), folder=notebook.folder,
            time_limit_seconds=request.time_limit_seconds, memory_limit_bytes=limit,
        )  # fmt: skip
        workers.submit(order)
        self._running[self._number] = (request, notebook)

    def _finish(self, record: Record) -> None:
        self.done[record.key] = record
        if self.journal is not None:
            self.journal.append(record)
        self.observer.ended(record)


def _request(entry: SuiteEntry, options: Options) -> Request:
    return Request(
        problem=ProblemInfo(
            name=entry.name, source=str(entry.path), sha256=_sha256(entry.path),
            overrides={**entry.overrides, **options.overrides}, tags=tuple(entry.tags),
        ),
        path=entry.path.absolute(), target=options.target, dtype=options.dtype,
        seed=options.seed, pipeline=options.pipeline, lock=options.lock,
        against=() if options.check_only else options.against,
        check_only=options.check_only, trials=options.trials, mutants=options.mutants,
        mode=options.mode,
        tolerance=entry.tolerance, threads=_threads(options),
        min_runs=options.min_runs, time_limit_seconds=options.time_limit_seconds,
        neighbours=options.jobs - 1,
        cache_dir=options.cache_dir, use_cache=options.use_cache,
    )  # fmt: skip


def _preload(options: Options) -> tuple[str, ...]:
    if options.check_only or not options.against:
        return PRELOAD
    return (*PRELOAD, f"{PRELOAD[0]}:load_baselines {','.join(options.against)}")


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""  # reported when the problem's turn comes


def _threads(options: Options) -> int:
    # What is timed has the machine to itself meanwhile (`turns`), whatever else is at work.
    sharing = options.jobs if options.check_only else 1
    return options.threads or max(available_cores() // sharing, 1)


def memory_limit_bytes(options: Options) -> int:
    """Return the memory that a problem may hold that has no neighbours."""
    if options.memory_limit_bytes is not None:
        return options.memory_limit_bytes
    return int(0.9 * psutil.virtual_memory().available)
