"""`bellrock`: finds commands by file name, and turns every failure into one paragraph.

Flows in: `argv`. Flows out: the exit code. A command raises; nothing but this file decides
how a failure looks: a `BellrockError` is its own message and exit code, an interrupt is
one line and 130, a full or unwritable disk names the path. `--debug` (or
`BELLROCK_DEBUG=1`) lets the traceback through.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from bellrock import __version__
from bellrock.errors import BellrockError, UnknownNameError
from bellrock.toolchain import check_toolchain

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""

_DISK_HINTS = {
    errno.ENOSPC: "free some space, or name a folder on another disk",
    errno.EDQUOT: "free some space, or name a folder on another disk",
    errno.EACCES: "change its permissions, or name another place",
    errno.EPERM: "change its permissions, or name another place",
    errno.EROFS: "name a place that can be written",
    errno.ENOENT: "check the path",
    errno.EISDIR: "name a file in it",
    errno.ENOTDIR: "check the path",
}


class CommandFolder(click.Group):
    """The group of the commands in this folder, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        files = (path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
        return sorted(stem.replace("_", "-") for stem in files if stem != "main")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"bellrock.cli.{cmd_name.replace('-', '_')}")
        return module.command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise UnknownNameError("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *rest: Any,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        if standalone_mode:
            sys.exit(run(self, args, prog_name=prog_name))
        return super().main(args, prog_name, *rest, standalone_mode=False, **extra)


def run(
    command: click.Command, arguments: Sequence[str] | None, *, prog_name: str | None = None
) -> int:
    """Run a command and return its exit code; every failure is reported on stderr.

    Args:
        command: what to run.
        arguments: the words after the program's name; None for those of this process.
        prog_name: name of the program in usage lines.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        outcome = command.main(words, prog_name, standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away: `bellrock ... | head`
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  (lives as long as the process)
        return 1
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except Exception as error:
        if _debugging(words):
            raise
        click.echo(f"Error: {describe(error)}", err=True)
        return error.exit_code if isinstance(error, BellrockError | click.ClickException) else 1


def describe(error: Exception) -> str:
    """Return one paragraph that says what went wrong and what to do."""
    match error:
        case BellrockError():
            return str(error)
        case click.UsageError() if error.ctx is not None:
            return f"{_sentence(error)} See '{error.ctx.command_path} --help'."
        case click.ClickException():
            return _sentence(error)
        case OSError() if error.errno is not None:
            where = f"{error.filename}: " if error.filename else ""
            what = os.strerror(error.errno)
            hint = _DISK_HINTS.get(error.errno)
            return f"{where}{what}; {hint}." if hint else f"{where}{what}."
        case MemoryError():
            return "out of memory; use smaller sizes (--set NAME=VALUE) or a larger machine."
        case _:
            return (
                f"internal error: {type(error).__name__}: {error}; this is a defect in Bellrock, "
                "please report it with the traceback that --debug shows."
            )


def _sentence(error: click.ClickException) -> str:
    """Return click's message, which has a full stop or has none."""
    message = error.format_message()
    return message if message.endswith((".", "?", "!")) else f"{message}."


def _debugging(words: Sequence[str]) -> bool:
    """Whether tracebacks are wanted. Not read from click, which may have failed to parse."""
    before_command = list(words[: next((i for i, w in enumerate(words) if w[:1] != "-"), None)])
    return "--debug" in before_command or os.environ.get("BELLROCK_DEBUG", "0") not in ("", "0")


@click.group(
    cls=CommandFolder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="bellrock", message="%(prog)s %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    expose_value=False,  # `run` reads it, which works even when parsing fails
    help="Show tracebacks of failures (also BELLROCK_DEBUG=1).",
)
def cli() -> None:
    """Compile PyTorch kernels and models through MLIR, check them against PyTorch, time them.

    The main job is `bellrock bench PATH`: a problem file, a folder of them or a suite in, a
    checked and timed verdict for each out.

    Exit codes: 0 all well; 1 something is wrong, slow or failed; 2 usage; 130 interrupted.
    """
    check_toolchain()


def main() -> int:
    """Entry point of the console script `bellrock`."""
    return run(cli, None, prog_name="bellrock")


def kernel_bench() -> int:
    """Entry point of the console script `kernel-bench`: the same as `bellrock bench`."""
    return run(cli, ["bench", *sys.argv[1:]], prog_name="bellrock")


if __name__ == "__main__":
    sys.exit(main())
