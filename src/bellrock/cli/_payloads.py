"""What a command that compiles nothing reads: a payload from a path, without its tensors.

Flows in: a path and the words of `--set`. Flows out: a `Payload`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellrock.cli._values import parse_overrides
from bellrock.errors import PayloadError
from bellrock.payload.spec import DType

if TYPE_CHECKING:
    from bellrock.payload import Payload


def payload_of(path: Path, overrides: tuple[str, ...], dtype: DType) -> Payload:
    """Return the payload of a file, at its full size and without its tensors.

    Args:
        path: a problem file (.py) or MLIR text (.mlir).
        overrides: words `NAME=VALUE`, of a problem.
        dtype: of a problem's model and floating-point inputs.

    Raises:
        PayloadError: it is neither, or cannot be read.
    """
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
    if overrides:
        raise click.BadParameter("MLIR text has no module globals.", param_hint="--set")
    from bellrock.ingress.mlir_text import load_mlir

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PayloadError("cannot read the file", got=reason, where=path) from error
    return load_mlir(text, name=path.stem)
