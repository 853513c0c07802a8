"""The suite file: what may stand in it, and what is said when something else does.

Flows in: the path of a suite YAML. Flows out: a `SuiteFile` whose values are all checked,
with the line of each problem; or a `UsageError` with file:line, what was got, what is
allowed and the nearest name.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bellrock.documents import Kind
from bellrock.errors import UsageError

Scalar = bool | int | float | str
OverrideValue = Scalar | list[Scalar]
"""What a suite may give a module global: a number, text, or a list (for tuples too)."""

_SUITE = Kind(name="suite", error=UsageError, hint="start it with `schema: 1`")

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z_0-9]*$")]
_Text = Annotated[str, StringConstraints(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Estimate(_Part):
    """What one eager float32 run costs, for choosing limits; never a measurement."""

    flops: Annotated[int, Field(ge=0)]
    """Of matrix products, convolutions and attention."""
    peak_bytes: Annotated[int, Field(ge=0)]
    """Most tensor storage alive at once."""


class Defaults(_Part):
    """Holds for each problem of the suite; a problem's own values go before."""

    set: dict[_Name, OverrideValue] = {}
    tags: list[_Text] = []
    tolerance: Annotated[float, Field(gt=0, strict=False)] | None = None


class ProblemRow(Defaults):
    """One problem of the suite."""

    file: _Text
    """Relative to the root."""
    skip: _Text | None = None
    """Why the problem is not run."""
    estimate: Estimate | None = None


class SuiteFile(_Part):
    """All of a suite file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    summary: _Text
    root: _Text
    """`kernelbench`, or a folder relative to the suite file."""
    defaults: Defaults = Defaults()
    problems: Annotated[list[ProblemRow], Field(min_length=1)]


def read_suite(path: Path) -> tuple[SuiteFile, tuple[str, ...]]:
    """Read and check a suite file.

    Args:
        path: of the file.

    Returns:
        Its content, and `file:line` of each problem.

    Raises:
        UsageError: the file cannot be read, is not YAML, or holds what no suite may hold.
    """
    root = _SUITE.parse_map(_SUITE.read_text(path), source=path)
    try:
        suite = SuiteFile.model_validate(root)
    except ValidationError as error:
        raise _invalid(error, root, path) from error
    rows = root["problems"]
    return suite, tuple(f"{path}:{rows.lc.item(i)[0] + 1}" for i in range(len(rows)))


def _invalid(error: ValidationError, root: CommentedMap, path: Path) -> UsageError:
    """Say the first of pydantic's errors at its place in the file."""
    errors = error.errors(include_url=False)
    # A mistyped key is a missing one too; what stands there says more than what does not.
    first = min(errors, key=lambda e: e["type"] == "missing")
    keys = tuple(k for k in first["loc"] if k != "[key]")
    where = f"{path}:{_line(root, keys)}"
    name = str(keys[-1])
    if first["type"] == "extra_forbidden":
        known = _known_keys(keys)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else None
        return UsageError(f"unknown key {name!r}", allowed=known, where=where, hint=hint)
    if first["type"] == "missing":
        return UsageError(f"the key {name!r} is missing", where=where)
    if "set" in keys and first["loc"][-1] != "[key]" and keys[-1] != "set":
        named = keys[keys.index("set") + 1]
        allowed = "a number, text, true, false, or a list of these"
        return UsageError(f"a value that {named!r} cannot have", allowed=allowed, where=where)
    what = "the name of a module global" if first["loc"][-1] == "[key]" else repr(name)
    message = re.sub(r"^(Input|String|Value|List|Dictionary) ", "", first["msg"])
    return UsageError(f"{what} {message}", got=repr(first["input"]), where=where)


def _known_keys(keys: tuple[str | int, ...]) -> list[str]:
    """Return the keys of the map that refused the last of `keys`."""
    model: type[BaseModel] = SuiteFile
    if keys[0] == "defaults":
        model = Defaults
    elif keys[0] == "problems":
        model = Estimate if "estimate" in keys[:-1] else ProblemRow
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _line(root: CommentedMap, keys: tuple[str | int, ...]) -> int:
    """Return the line, from 1, of the innermost of `keys` that is in the file."""
    node: object = root
    line: int = root.lc.line
    for key in keys:
        if isinstance(node, CommentedMap) and key in node:
            line = node.lc.key(key)[0]
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line = node.lc.item(key)[0]
        else:  # the name of a type in a union, or a key that is missing
            continue
        node = node[key]
    return line + 1
