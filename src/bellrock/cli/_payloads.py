"""What a command that compiles nothing reads: a payload from a path, without its tensors.

Flows in: a path and the words of `--set`. Flows out: a `Payload`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellrock.cli._options import DTYPE, ENTRY, OVERRIDES, PATH
from bellrock.cli._values import parse_overrides
from bellrock.errors import PayloadError
from bellrock.payload.spec import DType

if TYPE_CHECKING:
    from bellrock.payload import Payload


PAYLOAD = (PATH, OVERRIDES, DTYPE, ENTRY)
"""Options that say which payload."""


def payload_of(path: Path, overrides: tuple[str, ...], dtype: DType, entry: str | None) -> Payload:
    """Return the payload of a file, at its full size and without its tensors.

    Args:
        path: a problem file (.py) or MLIR text (.mlir).
        overrides: words `NAME=VALUE`, of a problem.
        dtype: of a problem's model and floating-point inputs.
        entry: function of a module that has several.

    Raises:
        PayloadError: it is neither, or cannot be read.
    """
    check_fit(path, overrides, entry)
    if path.suffix == ".py":
        from bellrock.ingress.problem import load_problem
        from bellrock.ingress.torch_export import import_module

        problem = load_problem(path, parse_overrides(overrides))
        instance = problem.build(dtype=dtype, fake=True)
        return import_module(
            instance.model, instance.inputs, name=problem.name, dtype=dtype
        ).payload
    if path.suffix != ".mlir":
        raise PayloadError("cannot tell what the file is", got=path, allowed=".py, .mlir")
    return module_of(path, entry)


def check_fit(path: Path, overrides: tuple[str, ...], entry: str | None) -> None:
    """Refuse options that a file of this kind has no use for.

    Args:
        path: a problem file (.py), or MLIR text.
        overrides: words `NAME=VALUE`.
        entry: symbol of a function.
    """
    if path.suffix == ".py" and entry is not None:
        raise click.BadParameter("a problem's entry is its Model.", param_hint="--entry")
    if path.suffix != ".py" and overrides:
        raise click.BadParameter("MLIR text has no module globals.", param_hint="--set")


def module_of(path: Path, entry: str | None) -> Payload:
    """Return the payload of a file of MLIR text.

    Args:
        path: of the file.
        entry: its function to compile; None takes the only public one.

    Raises:
        PayloadError: it cannot be read, or is no such text.
    """
    from bellrock.ingress.mlir_text import load_mlir

    return load_mlir(read_text(path), name=path.stem, entry=entry, source=path)


def read_text(path: Path) -> str:
    """Return what a file of MLIR holds; `-` is standard input.

    Raises:
        PayloadError: it cannot be read, or is no text.
    """
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PayloadError("cannot read the file", got=error.strerror, where=path) from error
    except UnicodeDecodeError as error:
        raise PayloadError(
            "the file is not UTF-8 text", got=error.reason, where=path, hint="give MLIR as text"
        ) from error
