"""Option values that need more than click's own types.

Flows in: words of the command line. Flows out: values; a word that does not fit is a usage
error that says what would.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

import click

from bellrock.bench.suite_file import OverrideValue

_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(?i)(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?")


class Bytes(click.ParamType):
    """A size: a number of bytes, or with a binary unit, e.g. `4GiB`."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the number of bytes."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no size; write e.g. 4GiB, 500MiB or 1000000.", param, ctx)
        return int(float(match[1]) * _UNITS[match[2].upper()])


class Names(click.ParamType):
    """A list of names, separated by commas; `none` is the empty list."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names without repetitions."""
        if isinstance(value, tuple):
            return value
        names = [part.strip() for part in str(value).split(",") if part.strip()]
        return () if names == ["none"] else tuple(dict.fromkeys(names))


def parse_overrides(words: Sequence[str]) -> dict[str, OverrideValue]:
    """Return module globals from words `NAME=VALUE`.

    A value is read as a Python literal where it is one (`4`, `[1, 2]`, `True`), else as text.

    Raises:
        click.BadParameter: a word has no `=`, its name is no identifier, or is given twice.
    """
    overrides: dict[str, OverrideValue] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(
                f"{word!r} is not NAME=VALUE, e.g. --set batch_size=4.", param_hint="--set"
            )
        if name in overrides:
            raise click.BadParameter(f"{name!r} is given twice.", param_hint="--set")
        overrides[name] = _literal(text)
    return overrides


def _literal(text: str) -> OverrideValue:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, (bool, int, float, str, list)) else text
