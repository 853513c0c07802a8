"""What the commands share that work on problems, each in a process of its own.

Flows in: words of the command line. Flows out: options by group, and a run that ends on SIGTERM
as it does on Ctrl-C.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from bellrock.cli._options import DTYPE, OVERRIDES
from bellrock.cli._targets import target_options
from bellrock.cli._values import Bytes

WHAT = (
    click.argument("paths", nargs=-1, required=True, metavar="PATH...",
                   type=click.Path(path_type=Path)),
    target_options("Target to compile for."),
    DTYPE,
    OVERRIDES,
    click.option("--only", metavar="PATTERN", help="Only problems whose name has this in it."),
    click.option("--sample", type=click.IntRange(min=1), metavar="N",
                 help="Only N problems, drawn with --seed."),
    click.option("--seed", type=int, default=0, show_default=True,
                 help="Of the inputs and of --sample."),
    click.option("--kernelbench", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
                 help="A KernelBench checkout, for suites that list its problems."),
)  # fmt: skip
"""Which problems, and for what."""
LIMITS = (
    click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
                 help="Problems at the same time; while one is timed the others stand still."),
    click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=600.0,
                 show_default=True, metavar="SECONDS", help="Of each problem."),
    click.option("--memory-limit", type=Bytes(), metavar="SIZE",
                 help="Of each problem, e.g. 4GiB  [default: nine tenths of what is free]"),
)  # fmt: skip
"""How many at once, and what each may take."""


@contextmanager
def ended_like_an_interrupt() -> Iterator[None]:
    """Let a request to end (SIGTERM) leave as much behind as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
