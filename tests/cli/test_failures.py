"""However a command fails: one paragraph on stderr, the right exit code, never a traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import click
import pytest

from bellrock.cli.main import run
from bellrock.errors import CompileError, ProblemError, StageError


def _command(failure: BaseException) -> click.Command:
    def body() -> None:
        raise failure

    return click.Command("demo", callback=body)


@pytest.mark.parametrize(
    ("failure", "code", "text"),
    [
        (
            ProblemError("no such file", got="a.py", hint="check the path"),
            2,
            "Error: no such file; got a.py; check the path.\n",
        ),
        (StageError("it broke", where="p.yaml:3:5"), 1, "Error: p.yaml:3:5: it broke.\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/out.json"),
            1,
            "Error: /data/out.json: No space left on device; free some space, or name a folder "
            "on another disk.\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "cache"),
            1,
            "Error: cache: Permission denied; change its permissions, or name another place.\n",
        ),
        (OSError(errno.EMFILE, "Too many open files"), 1, "Error: Too many open files.\n"),
        (
            MemoryError(),
            1,
            "Error: out of memory; use smaller sizes (--set NAME=VALUE) or a larger machine.\n",
        ),
        (
            ValueError("surprise"),
            1,
            "Error: internal error: ValueError: surprise; this is a defect in Bellrock, please "
            "report it with the traceback that --debug shows.\n",
        ),
        (click.UsageError("which one?"), 2, "Error: which one? See 'demo --help'.\n"),
        (KeyboardInterrupt(), 130, "\nInterrupted.\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_failure(
    capsys: pytest.CaptureFixture[str],
    failure: BaseException,
    code: int,
    text: str,
) -> None:
    assert run(_command(failure), [], prog_name="demo") == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == text


def test_success_and_a_gate_that_failed() -> None:
    assert run(click.Command("demo", callback=lambda: None), []) == 0
    assert run(click.Command("demo", callback=lambda: 1), []) == 1

    @click.command()
    @click.pass_context
    def leaves(context: click.Context) -> None:
        context.exit(1)

    assert run(leaves, []) == 1


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_DEBUG", "1")
    with pytest.raises(CompileError):
        run(_command(CompileError("it broke")), [])


def _bellrock(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bellrock", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        timeout=120,
        check=False,
    )


def test_no_command_shows_the_help() -> None:
    done = _bellrock()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: ")


def test_unknown_command() -> None:
    done = _bellrock("tarqet")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: unknown command 'tarqet'; allowed: ")
    assert done.stderr.endswith("did you mean 'target'?\n")
    assert done.stderr.count("\n") == 1


def test_unknown_option() -> None:
    done = _bellrock("target", "list", "--jsn")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: No such option '--jsn'")
    assert done.stderr.count("\n") == 1


def test_debug_as_an_option_or_a_variable() -> None:
    for done in (
        _bellrock("--debug", "target", "show", "x"),
        _bellrock("target", "show", "x", BELLROCK_DEBUG="1"),
    ):
        assert done.returncode == 1
        assert done.stderr.startswith("Traceback")
        assert "UnknownNameError" in done.stderr


def test_version() -> None:
    done = _bellrock("--version")
    assert done.returncode == 0
    assert done.stdout == "bellrock 0.1.0\n"


def test_a_reader_that_leaves_early_is_no_failure_worth_a_word() -> None:
    command = [sys.executable, "-m", "bellrock", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(60)
