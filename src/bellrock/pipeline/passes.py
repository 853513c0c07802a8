"""Passes: their textual form for MLIR, and whether MLIR accepts them.

Flows in: a pass with its anchors and options. Flows out: the text for `PassManager.parse`,
or an error that says which name, option, value or anchor is wrong, and what is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from bellrock.errors import PipelineError
from bellrock.pipeline.invalid import unknown
from bellrock.pipeline.stage import OptionValue, PassStage
from bellrock.pipeline.vocabulary import complaint, is_op, near_passes, options_of

Place = Callable[..., str]
"""Gives `file:line:column` of a key of the entry, e.g. `at("options", "top-down")`."""

_PLAIN = re.compile(r"[^\s{}'\",=]+")
_ANCHORS = ("builtin.module", "func.func", "gpu.module", "gpu.func", "llvm.func")
"""Ops that passes usually run on, to suggest."""


def pass_text(stage: PassStage) -> str:
    """Return a pass in MLIR's textual syntax, e.g. `builtin.module(func.func(cse))`."""
    return _nested(stage.on, stage.pass_name, stage.options)


def check_pass(stage: PassStage, at: Place) -> None:
    """Ask MLIR whether it has the pass, with these options, on this op.

    Args:
        stage: the pass.
        at: gives places in its entry.

    Raises:
        PipelineError: MLIR does not accept it.
    """
    problem = complaint(pass_text(stage))
    if problem is not None:
        raise _explain(stage, problem, at)
    for anchor in stage.on:
        if not is_op(anchor):
            raise unknown("op", anchor, _ANCHORS, at("on"), closed=False)


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


def _explain(stage: PassStage, problem: str, at: Place) -> PipelineError:
    name = stage.pass_name
    if "does not refer to a registered pass" in problem:
        return unknown("pass", name, near_passes(name), at("pass"), closed=False)
    option = re.search(r"no such option (\S+)", problem)
    if option is not None:
        kind = f"option of the pass {name!r}:"
        return unknown(kind, option[1], options_of(name), at("options", option[1], key=True))
    anchor = re.search(r"restricted to '([^']+)' on a PassManager intended to run on", problem)
    if anchor is not None:
        return PipelineError(
            f"the pass {name!r} does not run on {stage.on[-1]!r}",
            where=at("on"),
            hint=f"write `on: {anchor[1]}`",
        )
    for key, value in stage.options.items():
        single = complaint(_nested(stage.on, name, {key: value}))
        if single is not None:
            return PipelineError(
                f"the option {key!r} of the pass {name!r} does not take this value",
                got=_option(value),
                where=at("options", key),
                hint=_reason(single),
            )
    said = " ".join(problem.split())
    return PipelineError(f"MLIR does not accept the pass {name!r}", got=said, where=at("pass"))


def _reason(problem: str) -> str | None:
    found = re.search(r"for the --\S+ option: (.+)", problem)
    return f"MLIR says: {found[1].rstrip('!.')}" if found else None
