"""One file a command: each exports `command`, is named by its file, and can be read about."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import bellrock.cli
from bellrock.cli.main import cli

FILES = sorted(
    path.stem for path in Path(bellrock.cli.__file__).parent.glob("[!_]*.py") if path.stem != "main"
)


def _with_subcommands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _with_subcommands(child)


@pytest.mark.parametrize("stem", FILES)
def test_command_file(stem: str) -> None:
    command = import_module(f"bellrock.cli.{stem}").command
    assert isinstance(command, click.Command)
    assert command.name == stem.replace("_", "-")
    assert import_module(f"bellrock.cli.{stem}").__doc__
    for each in _with_subcommands(command):
        assert each.help, f"{each.name} has no help"
        assert not each.get_short_help_str(limit=64).endswith("..."), "the list of commands cuts it"
        for parameter in each.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{each.name} {parameter.opts} has no help"
                for spelling in (*parameter.opts, *parameter.secondary_opts):
                    assert "_" not in spelling, "options are spelled in kebab case"


@pytest.mark.parametrize("stem", FILES)
def test_help_is_shown(stem: str) -> None:
    result = CliRunner().invoke(cli, [stem.replace("_", "-"), "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


def test_the_list_of_commands_is_the_folder() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for stem in FILES:
        assert f"  {stem.replace('_', '-')} " in result.stdout
