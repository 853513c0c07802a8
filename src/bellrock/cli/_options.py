"""Options that several commands have, each spelled once.

Flows in: nothing. Flows out: decorators, and `with_options`, which adds groups of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from bellrock.payload.spec import DType

Decorated = TypeVar("Decorated", bound=Callable[..., object])

FILE = click.Path(path_type=Path, dir_okay=False)

PATH = click.argument("path", type=click.Path(path_type=Path))
OVERRIDES = click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE",
    help="Override a module global of a problem (repeatable).",
)  # fmt: skip
DTYPE = click.option(
    "--dtype", default="f32", show_default=True,
    type=click.Choice([d.value for d in DType if d.is_float]),
    help="Element type of the model and of its floating-point inputs.",
)  # fmt: skip
ENTRY = click.option(
    "--entry", metavar="SYMBOL", help="Entry function, if an MLIR module has several."
)
PIPELINE = click.option(
    "--pipeline", metavar="NAME|FILE", help="Pipeline instead of the target's own."
)
LOCK = click.option("--lock", type=FILE, help="Choices to use, as written by --write-lock.")
WRITE_LOCK = click.option("--write-lock", type=FILE, metavar="FILE", help="Write the choices made.")
CACHE_DIR = click.option(
    "--cache-dir", type=click.Path(path_type=Path, file_okay=False),
    help="Cache of compiled kernels instead of the user's.",
)  # fmt: skip


def with_options(*groups: Sequence[Callable[[Decorated], Decorated]]) -> Callable[..., Decorated]:
    """Return what adds groups of options to a command, in this order."""

    def decorate(function: Decorated) -> Decorated:
        for option in reversed([o for group in groups for o in group]):
            function = option(function)
        return function

    return decorate
