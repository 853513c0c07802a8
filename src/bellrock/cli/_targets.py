"""Options that say what is compiled for: `--target` and `--device`.

Flows in: two words of the command line. Flows out: the target's name, with the device in it
(`name:device`) where one was given: everything behind takes that as a name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

DEVICE = click.option(
    "--device",
    metavar="NAME",
    help="Device of the target, e.g. b580, here or not; `bellrock target show TARGET` lists them.",
)


def target_options(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds both options to a command, which gets `target` alone.

    Args:
        help_text: of `--target`.
    """

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def joined(*arguments: object, target: str, device: str | None, **options: object) -> Any:
            from bellrock.target import with_device

            return function(*arguments, target=with_device(target, device), **options)

        option = click.option("--target", default="cpu", show_default=True, help=help_text)
        return option(DEVICE(joined))

    return add
