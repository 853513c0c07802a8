"""`bellrock pipeline list|show|check`: which pipelines there are, and what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bellrock.cli._targets import target_options
from bellrock.errors import UsageError

TARGET_OPTION = target_options("Target whose names and facts are used.")
VARIABLES_OPTION = click.option(
    "--set",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="Give a variable of the pipeline a value, as in YAML (repeatable).",
)


def parse_variables(assignments: Sequence[str]) -> Mapping[str, object]:
    """Return `NAME=VALUE` words as a mapping; values are YAML, so `8` is an integer."""
    values: dict[str, object] = {}
    for word in assignments:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise UsageError(
                "not a variable's value", got=word, allowed="NAME=VALUE", where="--set"
            )
        if name in values:
            raise UsageError(f"the variable {name!r} is given twice", got=word, where="--set")
        try:
            values[name] = YAML(typ="safe", pure=True).load(text)
        except YAMLError as error:
            raise UsageError("not a YAML value", got=word, where="--set") from error
    return values


@click.group("pipeline", help="List pipelines, print one flattened, or check one.")
def command() -> None:
    """Group of the commands below."""


@command.command("list", help="List the pipelines that a target can use, with their summaries.")
@TARGET_OPTION
def list_all(target: str) -> None:
    """Print one line a pipeline."""
    from bellrock.pipeline.search import list_pipelines, read_summary
    from bellrock.target import TARGETS

    found = list_pipelines([TARGETS.get(target, where="--target").pipelines()])
    width = max((len(name) for name in found), default=0)
    for name, path in found.items():
        click.echo(f"{name:{width}}  {read_summary(path)}")


@command.command(
    "show",
    short_help="Print a pipeline flattened, as one YAML descriptor.",
    help="""Print a pipeline as one YAML descriptor: includes in place, variables resolved.
    What is printed can be used as a pipeline. Without NAME, the target's default is shown.""",
)
@click.argument("name", required=False)
@TARGET_OPTION
@VARIABLES_OPTION
@click.option(
    "--resolved", is_flag=True, help="Decide the conditions on features for this device, too."
)
def show(name: str | None, target: str, variables: tuple[str, ...], resolved: bool) -> None:
    """Print one pipeline."""
    from bellrock.compiler import environment_for, pipeline_for
    from bellrock.pipeline.environment import Snapshots
    from bellrock.pipeline.show import show_pipeline
    from bellrock.pipeline.stage import flatten

    pipeline = pipeline_for(target, name, parse_variables(variables))
    if resolved:
        environment = environment_for(target, lock=None, snapshots=Snapshots())
        pipeline = flatten(pipeline, features=environment.features)
    click.echo(show_pipeline(pipeline), nl=False)


@command.command(
    "check",
    short_help="Load pipelines and report what is wrong in them.",
    help="""Load pipelines and report what is wrong: keys, types, variables, and names of
    passes, options, schedules, selectors, sequences and includes.""",
)
@click.argument("names", nargs=-1, required=True, metavar="NAME_OR_FILE...")
@TARGET_OPTION
@VARIABLES_OPTION
def check(names: tuple[str, ...], target: str, variables: tuple[str, ...]) -> None:
    """Load each, and say how many stages it has."""
    from bellrock.compiler import pipeline_for
    from bellrock.pipeline.stage import GroupStage, walk

    values = parse_variables(variables)
    for name in names:
        pipeline = pipeline_for(target, Path(name) if _is_file(name) else name, values)
        count = sum(not isinstance(stage, GroupStage) for stage in walk(pipeline.stages))
        click.echo(f"{name}: ok, {count} stages")


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))
