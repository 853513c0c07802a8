"""What is wrong with a descriptor, said at the place where it is wrong.

Flows in: pydantic's validation errors and the source. Flows out: a `PipelineError` with
file:line:column, what was got, what is allowed, and a suggestion.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from bellrock.errors import PipelineError
from bellrock.pipeline.descriptor import (
    STAGE_MODELS,
    Condition,
    Descriptor,
    ScheduleCall,
    SelectCall,
    VariableSpec,
    allowed_keys,
)
from bellrock.pipeline.source import Keys, Source

_STAGE_LISTS = frozenset({"stages", "then", "else", "kernels"})
_INNER: dict[str, type[BaseModel]] = {
    "schedule": ScheduleCall,
    "select": SelectCall,
    "when": Condition,
}
_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
}


def unknown(
    kind: str, name: str, known: Iterable[str], where: object, *, closed: bool = True
) -> PipelineError:
    """Return the error for a name that is not known.

    Args:
        kind: what the name should be one of.
        name: as written.
        known: names that would do.
        where: file:line:column.
        closed: whether `known` is all there is, and is printed.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return PipelineError(
        f"unknown {kind} {name!r}",
        allowed=(known or "none, there are no names of this kind") if closed else None,
        where=where,
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def invalid(error: ValidationError, source: Source) -> PipelineError:
    """Turn pydantic's errors on a descriptor into one of ours, about the first of them."""
    details = error.errors(include_url=False)
    first = details[0]
    keys = _keys(first["loc"], source.data)
    here = [detail for detail in details if _keys(detail["loc"], source.data) == keys]
    kind = first["type"]
    if kind == "extra_forbidden":
        name = str(keys[-1])
        known = allowed_keys(_model_around(keys, first["loc"]))
        return unknown("key", name, known, source.where(keys, key=True))
    if kind == "missing":
        return PipelineError(f"the key {first['loc'][-1]!r} is missing", where=source.where(keys))
    if kind.startswith("union_tag"):
        return _no_kind(first["input"], source, keys)
    got = first["input"]
    of_type = [detail["type"] in _EXPECTED for detail in here]
    what = "has the wrong type" if all(of_type) else "does not fit" if any(of_type) else None
    allowed = [_EXPECTED.get(detail["type"]) or _allowed(detail) for detail in here]
    return PipelineError(
        f"{_path(keys)} {what or _reason(first)}",
        got=_describe(got) if what or not isinstance(got, dict | list) else None,
        allowed=" or ".join(dict.fromkeys(each for each in allowed if each)) or None,
        where=source.where(keys),
    )


def _reason(detail: Any) -> str:
    match detail["type"]:
        case "value_error":
            return f"does not fit: {detail['ctx']['error']}"
        case "too_short" | "string_too_short":
            return "is empty"
        case "literal_error":
            return "has a value that does not exist"
        case "string_pattern_mismatch":
            return "is not a plain name"
        case _:
            return f"is not valid: {detail['msg']}"


def _allowed(detail: Any) -> str | None:
    match detail["type"]:
        case "literal_error":
            return str(detail["ctx"]["expected"])
        case "string_pattern_mismatch":
            return "letters, digits, '.', '_' and '-'"
        case _:
            return None


def _describe(value: object) -> str:
    return _kind_of(value) if isinstance(value, dict | list) else repr(value)


def _kind_of(value: object) -> str:
    return "a map" if isinstance(value, dict) else "a list"


def _path(keys: Keys) -> str:
    """Return the last keys as people write them, e.g. `options.top-down`."""
    last = max((i for i, key in enumerate(keys) if isinstance(key, int)), default=-1)
    names = [str(key) for key in keys[last + 1 :]]
    return "`" + ".".join(names) + "`" if names else "this entry"


def _keys(location: Sequence[str | int], data: object) -> Keys:
    """Strip from an error's location what pydantic adds to the way through the data."""
    keys: list[str | int] = []
    node, skip_tag = data, False
    for element in location:
        if skip_tag and element in STAGE_MODELS:
            skip_tag = False
            continue
        skip_tag = False
        if isinstance(node, dict) and element in node:
            node = node[element]
        elif isinstance(node, list) and isinstance(element, int) and element < len(node):
            node = node[element]
            skip_tag = bool(keys) and keys[-1] in _STAGE_LISTS
        else:
            continue
        keys.append(element)
    return tuple(keys)


def _model_around(keys: Keys, location: Sequence[str | int]) -> type[BaseModel]:
    """Return the model that refused the last key."""
    if len(keys) == 1:
        return Descriptor
    if keys[0] == "variables":
        return VariableSpec
    parent = keys[-2]
    if isinstance(parent, str):
        return _INNER[parent]
    return STAGE_MODELS[str(location[-2])]


def _no_kind(entry: object, source: Source, keys: Keys) -> PipelineError:
    where = source.where(keys)
    if not isinstance(entry, dict):
        return PipelineError(
            "a stage is a map", got=repr(entry), where=where, hint="for example `- pass: cse`"
        )
    kinds = [kind for kind in STAGE_MODELS if kind in entry]
    if kinds:
        return PipelineError(
            "a stage does one thing", got=" and ".join(kinds), where=where, hint="split it in two"
        )
    near = [n for key in entry for n in difflib.get_close_matches(key, STAGE_MODELS, n=1)]
    return PipelineError(
        "a stage does not say what it does",
        got=", ".join(entry) or "an empty map",
        allowed=f"one of {', '.join(STAGE_MODELS)}",
        where=where,
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


_PRINTED = 32
"""Longest list of known names that a message shows whole."""


def check_known(kind: str, names: Sequence[str], known: Collection[str], where: str) -> None:
    """Raise if one of the names is not known."""
    for name in names:
        if name not in known:
            raise unknown(kind, name, known, where, closed=len(known) <= _PRINTED)
