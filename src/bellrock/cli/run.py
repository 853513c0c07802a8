"""`bellrock run`: an artifact file, run once."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bellrock.cli._figures import figure_lines
from bellrock.errors import CallError

if TYPE_CHECKING:
    import numpy as np

    from bellrock.runtime.artifact import SavedProgram
    from bellrock.runtime.inputs import Summary


@click.command(
    "run",
    short_help="Run an artifact file once and show what came out.",
    help="""Run an artifact that `bellrock compile` wrote, once, and show what came out.

    Arguments are those given with --input, else those that the file holds (a model's
    parameters), else random numbers. To time a program, use `bellrock bench`. An artifact
    is machine code: run only files that you trust.""",
)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=FILE.npy",
    help="Array for the argument NAME (repeatable).",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of random arguments.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results to this .npz file, by name.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--describe", is_flag=True, help="Show arguments, results and choices; do not run.")
def command(
    artifact: Path,
    inputs: tuple[str, ...],
    seed: int,
    output: Path | None,
    as_json: bool,
    describe: bool,
) -> None:
    """Load, check the machine, run, report."""
    from bellrock.runtime.threads import share_openmp

    share_openmp()
    from bellrock.runtime.artifact import check_machine, load_program
    from bellrock.runtime.executable import load_saved
    from bellrock.runtime.inputs import as_array, make_arguments, summarise
    from bellrock.target import TARGETS

    program = load_program(artifact)
    if describe:
        _describe(program)
        return
    target = TARGETS.get(program.target, where=artifact)
    check_machine(program, features=target.facts().features, where=artifact)
    arguments = make_arguments(program, given=_read_arrays(inputs), seed=seed)
    results = load_saved(program)(arguments)
    if output is not None:
        _write(output, {s.name: as_array(r) for s, r in zip(program.results, results, strict=True)})
    summaries = [summarise(s, r) for s, r in zip(program.results, results, strict=True)]
    _print(program, summaries, as_json=as_json)


def _read_arrays(words: Sequence[str]) -> dict[str, np.ndarray]:
    import numpy as np

    arrays = {}
    for word in words:
        name, equals, file = word.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{word!r} is not NAME=FILE.npy.", param_hint="--input")
        try:
            array = np.load(file, allow_pickle=False)
        except OSError as error:
            raise CallError("cannot read the file", got=error.strerror, where=file) from error
        except ValueError as error:
            raise CallError("not a .npy file of numbers", got=error, where=file) from error
        if not isinstance(array, np.ndarray):
            raise CallError("a file of several arrays; one is needed", where=file)
        arrays[name] = array
    return arrays


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    import numpy as np

    # Not `np.savez`, whose own arguments have names that an array may have as well.
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _describe(program: SavedProgram) -> None:
    click.echo(f"{program.name}, for {program.target}, {len(program.kernels)} kernels")
    for title, specs in (("arguments", program.arguments), ("results", program.results)):
        click.echo(f"{title}:")
        for index, spec in enumerate(specs):
            stored = ", stored" if title == "arguments" and index in program.values else ""
            click.echo(f"  {spec.name}: {spec} ({spec.role}{stored})")
    for line in figure_lines(program.kernels):
        click.echo(line)
    click.echo(f"toolchain: {', '.join(f'{k} {v}' for k, v in program.toolchain.items())}")
    click.echo(program.choices, nl=False)


def _print(program: SavedProgram, summaries: Sequence[Summary], *, as_json: bool) -> None:
    if as_json:
        results = [
            {
                "name": each.spec.name,
                "shape": list(each.spec.shape),
                "dtype": str(each.spec.dtype),
                "mean": _number(each.mean),
                "lowest": _number(each.lowest),
                "highest": _number(each.highest),
                "not_finite": each.not_finite,
            }
            for each in summaries
        ]
        click.echo(json.dumps({"name": program.name, "results": results}, indent=2))
        return
    for each in summaries:
        click.echo(
            f"{each.spec.name}: {each.spec}, mean {each.mean:.6g}, "
            f"from {each.lowest:.6g} to {each.highest:.6g}, {each.not_finite} not finite"
        )


def _number(value: float) -> float | None:
    """JSON has no nan."""
    return None if math.isnan(value) else value
