"""What MLIR knows of passes: asked of its own parser, since there is no list to read.

Flows in: a pass, its anchors and options. Flows out: the textual pipeline for
`PassManager.parse`, or what is wrong with it. Suggestions are searched only once something
is wrong: the names are strings in MLIR's library, each of which the parser can be asked about.
"""

from __future__ import annotations

import difflib
import functools
import mmap
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bellrock.errors import PipelineError
from bellrock.pipeline.stage import OptionValue, PassStage

_STDERR_LOCK = threading.Lock()
_WORD = re.compile(rb"[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?=\0)")
_PLAIN = re.compile(r"[^\s{}'\",=]+")


def pass_text(stage: PassStage) -> str:
    """Return a pass in MLIR's textual syntax, e.g. `builtin.module(func.func(cse))`."""
    return _nested(stage.on, stage.pass_name, stage.options)


def check_pass(stage: PassStage) -> None:
    """Ask MLIR whether it has the pass, with these options, on this op.

    Raises:
        PipelineError: it does not; says which name, option or anchor, and suggests one.
    """
    problem = _problem(pass_text(stage))
    if problem is not None:
        raise _explain(stage, problem)
    for anchor in stage.on:
        if not _is_op(anchor):
            raise _unknown("op to run a pass on", anchor, _near_ops(anchor), stage.where)


def _nested(on: Sequence[str], name: str, options: Mapping[str, OptionValue]) -> str:
    body = " ".join(f"{key}={_option(value)}" for key, value in options.items())
    text = f"{name}{{{body}}}" if body else name
    for anchor in reversed(on):
        text = f"{anchor}({text})"
    return text


def _option(value: OptionValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "{" + ",".join(_option(inner) for inner in value) + "}"
    text = str(value)
    if not text or _PLAIN.fullmatch(text):
        return text
    return f"{{{text}}}" if not set("{}") & set(text) else f"'{text}'"


@functools.lru_cache(maxsize=4096)
def _problem(text: str) -> str | None:
    """Return MLIR's complaint about a textual pipeline, or None."""
    from torch_mlir import ir
    from torch_mlir.passmanager import PassManager

    # MLIR's option parser prints the reason of some failures instead of returning it
    with ir.Context(), _captured_stderr() as printed:
        try:
            PassManager.parse(text)
        except ValueError as error:
            return f"{error}\n{printed()}".strip()
    return None


@contextmanager
def _captured_stderr() -> Iterator:
    """Take what native code prints to stderr; what is not an option error is passed on."""
    taken: list[str] = []
    with _STDERR_LOCK, tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)

        def printed() -> str:
            file.seek(0)
            taken.append(file.read().decode(errors="replace"))
            return taken[-1]

        try:
            yield printed
        finally:
            os.dup2(saved, 2)
            if not taken:
                os.write(saved, printed().encode())
            os.close(saved)


def _explain(stage: PassStage, problem: str) -> PipelineError:
    name, where = stage.pass_name, stage.where
    if "does not refer to a registered pass" in problem:
        return _unknown("pass", name, _near_passes(name), where)
    option = re.search(r"no such option (\S+)", problem)
    if option is not None:
        known = options_of(name)
        return _unknown(f"option of the pass {name!r}", option[1], known, where, show=known)
    anchor = re.search(r"restricted to '([^']+)' on a PassManager intended to run on", problem)
    if anchor is not None:
        return PipelineError(
            f"the pass {name!r} does not run on {stage.on[-1]!r}",
            allowed=anchor[1],
            where=where,
            hint=f"write `on: {anchor[1]}`",
        )
    for key, value in stage.options.items():
        single = _problem(_nested(stage.on, name, {key: value}))
        if single is not None:
            return PipelineError(
                f"the option {key!r} of the pass {name!r} does not take this value",
                got=_option(value),
                where=where,
                hint=_reason(single),
            )
    return PipelineError(
        f"MLIR does not accept the pass {name!r}", got=" ".join(problem.split()), where=where
    )


def _reason(problem: str) -> str | None:
    found = re.search(r"for the --\S+ option: (.+)", problem)
    return f"MLIR says: {found[1].rstrip('!.')}" if found else None


def _unknown(
    kind: str, name: str, known: Iterable[str], where: str, *, show: Sequence[str] = ()
) -> PipelineError:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    error = PipelineError(
        f"unknown {kind} {name!r}",
        allowed=list(show) or None,
        where=where,
        hint=f"did you mean {near[0]!r}?" if near else None,
    )
    error.args = (error.args[0].replace("?.", "?"),)
    return error


@functools.lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    """Return every string of MLIR's library that could be the name of a pass or option."""
    import torch_mlir._mlir_libs as libraries

    assert libraries.__file__ is not None
    found: set[bytes] = set()
    for path in Path(libraries.__file__).parent.glob("*CAPI.so*"):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found.update(_WORD.findall(data))
    return frozenset(word.decode() for word in found if len(word) <= 64)


@functools.lru_cache(maxsize=64)
def options_of(pass_name: str) -> list[str]:
    """Return the names of all options of a pass, sorted."""
    from torch_mlir import ir
    from torch_mlir.passmanager import PassManager

    def known(option: str) -> bool:
        try:
            PassManager.parse(f"any({pass_name}{{{option}}})")
        except ValueError as error:
            return "no such option" not in str(error)
        return True

    with ir.Context(), _captured_stderr() as printed:
        names = sorted(word for word in _words() if known(word))
        printed()
    return names


@functools.lru_cache(maxsize=64)
def _near_passes(name: str) -> list[str]:
    """Return the names of passes that look like `name`, nearest first."""
    near = difflib.get_close_matches(name, _words(), n=50, cutoff=0.5)
    return [word for word in near if _is_pass(word)]


def _is_pass(name: str) -> bool:
    problem = _problem(f"any({name})")
    return problem is None or "does not refer" not in problem


def _is_op(name: str) -> bool:
    from torch_mlir import ir

    if name == "any":
        return True
    with ir.Context() as context:
        if name.count(".") < 1:
            return False
        try:
            context.get_dialect_descriptor(name.split(".")[0])
        except ValueError:
            return False
        return context.is_registered_operation(name)


def _near_ops(name: str) -> list[str]:
    anchors = ["builtin.module", "func.func", "gpu.module", "gpu.func", "llvm.func", "scf.forall"]
    return difflib.get_close_matches(name, anchors, n=1, cutoff=0.5)
