"""`bellrock compile`: a problem or an MLIR module to an artifact file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellrock.cli._figures import figure_lines
from bellrock.cli._options import (
    CACHE_DIR,
    FILE,
    LOCK,
    PIPELINE,
    WRITE_LOCK,
    with_options,
)
from bellrock.cli._payloads import PAYLOAD, check_fit, module_of
from bellrock.cli._targets import target_options
from bellrock.cli._values import parse_overrides
from bellrock.payload.spec import DType

if TYPE_CHECKING:
    from bellrock.compiler import Compiled
    from bellrock.payload import Payload


@click.command(
    "compile",
    short_help="Compile a problem or an MLIR module to an artifact file.",
    help="""Compile PATH, a problem file (.py) or an MLIR module (.mlir), to an artifact file
    that `bellrock run` can run here or on a like machine.

    The artifact of a problem holds the values of the model's parameters, as --seed makes them.""",
)
@with_options(PAYLOAD)
@target_options("Target to compile for.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the model's parameters.")
@with_options((PIPELINE, LOCK, WRITE_LOCK, CACHE_DIR))
@click.option(
    "-o", "--output", type=FILE, help="Artifact file.  [default: PATH's name, ending .bellrock]"
)
def command(
    path: Path,
    target: str,
    dtype: str,
    overrides: tuple[str, ...],
    seed: int,
    entry: str | None,
    pipeline: str | None,
    lock: Path | None,
    write_lock: Path | None,
    cache_dir: Path | None,
    output: Path | None,
) -> None:
    """Load everything that can be wrong first, then compile, then write."""
    from bellrock.runtime.threads import share_openmp

    share_openmp()
    from bellrock.compiler import compile_payload, pipeline_for
    from bellrock.params.lock import read_lock
    from bellrock.runtime.artifact import SUFFIX, save_program, saved_program

    check_fit(path, overrides, entry)
    pipeline_for(target, pipeline)
    locked = None if lock is None else read_lock(lock)
    if path.suffix == ".py":
        payload, values = _problem(path, parse_overrides(overrides), DType(dtype), seed)
    else:
        payload, values = module_of(path, entry), {}
    compiled = compile_payload(
        payload, target=target, pipeline=pipeline, lock=locked, cache_dir=cache_dir
    )
    for warning in compiled.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if write_lock is not None:
        compiled.lock().write(write_lock)
    output = Path(path.name).with_suffix(SUFFIX) if output is None else output
    save_program(saved_program(compiled, values=values), output)
    click.echo(f"{output}: {_summary(compiled)}")
    for line in figure_lines(compiled.kernels):
        click.echo(line)


def _problem(
    path: Path, overrides: Mapping[str, object], dtype: DType, seed: int
) -> tuple[Payload, Mapping[int, memoryview]]:
    """Return a problem's payload, and its parameters' values by position of the argument."""
    from bellrock.ingress.problem import load_problem
    from bellrock.ingress.torch_export import import_module
    from bellrock.runtime.inputs import contents_of

    problem = load_problem(path, overrides)
    instance = problem.build(dtype=dtype, seed=seed)
    program = import_module(instance.model, instance.inputs, name=problem.name, dtype=dtype)
    first = len(program.payload.arguments) - len(program.parameters)
    contents = contents_of(program.parameters)
    return program.payload, dict(enumerate(contents, start=first))


def _summary(compiled: Compiled) -> str:
    kernels = compiled.kernels
    return (
        f"{compiled.payload.name} for {compiled.target}, "
        f"{len(kernels)} kernel{'' if len(kernels) == 1 else 's'} "
        f"({sum(k.vectorised for k in kernels)} vectorised, "
        f"{sum(k.parallel for k in kernels)} parallel), {compiled.compile_seconds:.2f} s"
        f"{', from the cache' if compiled.cached else ''}"
    )
