"""Schedules by name: which there are, and the text of one.

Flows in: a name from a pipeline, its options, the packages to look in. Flows out: the text
of a transform module whose one sequence is `__transform_main`.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType

from bellrock.errors import PipelineError, UnknownNameError

OWN = "bellrock.schedule"
_NOT_SCHEDULES = {"load"}
_FRAME = """module attributes {{transform.with_named_sequence}} {{
  transform.named_sequence @__transform_main(%module: !transform.any_op) {{
{body}
    transform.yield
  }}
}}
"""


def schedule_names(packages: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of all schedules in our package and in others.

    Args:
        packages: further packages, e.g. a target's `bellrock.target.cpu.schedule`.
    """
    return tuple(sorted({name for p in (*packages, OWN) for name in _names_in(p)}))


@cache
def _names_in(package: str) -> list[str]:
    found = pkgutil.iter_modules(import_module(package).__path__)
    return [m.name.replace("_", "-") for m in found if m.name not in _NOT_SCHEDULES]


def _module(name: str, packages: Sequence[str]) -> ModuleType:
    for package in (*packages, OWN):
        if name in _names_in(package):
            return import_module(f"{package}.{name.replace('-', '_')}")
    raise UnknownNameError("schedule", name, schedule_names(packages))


def describe_schedule(name: str, packages: Sequence[str] = ()) -> str:
    """Return the first line of a schedule's documentation."""
    return (inspect.getdoc(_module(name, packages)) or "").partition("\n")[0]


def schedule_text(name: str, options: Mapping[str, object], packages: Sequence[str] = ()) -> str:
    """Return a schedule as the text of a transform module.

    Args:
        name: of the schedule.
        options: as its `sequence` function takes them; kebab or snake case.
        packages: further packages, searched before our own.

    Raises:
        UnknownNameError: there is no such schedule, or it has no such option.
        PipelineError: an option that it needs is missing.
    """
    sequence: Callable[..., str] = _module(name, packages).sequence
    given = {key.replace("-", "_"): value for key, value in options.items()}
    parameters = inspect.signature(sequence).parameters
    for key in given:
        if key not in parameters:
            raise UnknownNameError(f"option of the schedule {name!r}", key, parameters)
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in given:
            raise PipelineError(f"the schedule {name!r} needs the option {key!r}")
    return _FRAME.format(body=sequence(**given))
