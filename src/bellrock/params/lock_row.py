"""One row of a lock file, from YAML and to YAML.

Flows in: a map of the file, or a `LockRow`. Flows out: the other. Reading is strict: an unknown
key or a wrong type is an error with file:line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from bellrock.errors import LockError, UnknownNameError
from bellrock.params.constraint import Value

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_ROW_KEYS = {
    "motif": True,
    "by": False,
    "knobs": True,
    "parameters": True,
    "predicted_seconds": False,
    "measured_seconds": False,
}
"""Keys of a row, and whether each is required."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockRow:
    """One choice, as data."""

    motif: str
    """Signature (`Motif.signature`), which has kind, sizes, dtypes and layouts."""
    knobs: str
    """Name of the class of parameters."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    by: str = "lock"
    """Who chose."""
    predicted_seconds: float | None = None
    measured_seconds: float | None = None
    where: str = field(default="", compare=False)
    """`file:line` that it was read from."""


def read_row(choices: CommentedSeq, index: int, source: str) -> LockRow:
    """Return one row of the list that a file has.

    Args:
        choices: the list.
        index: of the row.
        source: path of the file, for messages.

    Raises:
        LockError: it is no row; carries file:line.
        UnknownNameError: it has a key that rows do not have.
    """
    row = choices[index]
    where = f"{source}:{choices.lc.item(index)[0] + 1}"
    if not isinstance(row, CommentedMap):
        raise wrong(f"choices[{index}]", row, "a map", where)
    check_keys(row, _ROW_KEYS, where, source, "a lock row")
    strings: dict[str, str] = {}
    for key in ("motif", "by", "knobs"):
        value = row.get(key, "lock")
        if not isinstance(value, str):
            raise wrong(key, value, "a string", line_of(row, key, source))
        strings[key] = str(value)
    return LockRow(
        motif=strings["motif"],
        by=strings["by"],
        knobs=strings["knobs"],
        parameters=_parameters(row, source),
        predicted_seconds=_seconds(row, "predicted_seconds", source),
        measured_seconds=_seconds(row, "measured_seconds", source),
        where=where,
    )


def _parameters(row: CommentedMap, source: str) -> dict[str, Value]:
    parameters = row["parameters"]
    where = line_of(row, "parameters", source)
    if not isinstance(parameters, CommentedMap):
        raise wrong("parameters", parameters, "a map of names to values", where)
    return {str(k): _parameter(str(k), v, where) for k, v in parameters.items()}


def _parameter(name: str, value: object, where: str) -> Value:
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, CommentedSeq) and all(
        isinstance(v, int) and not isinstance(v, bool) for v in value
    ):
        return tuple(int(v) for v in value)
    raise wrong(f"parameters.{name}", value, "an integer, string, bool or integer list", where)


def _seconds(row: CommentedMap, key: str, source: str) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise wrong(key, value, "seconds, at least 0", line_of(row, key, source))
    return float(value)


def check_keys(
    found: CommentedMap, keys: Mapping[str, bool], where: str, source: str, what: str
) -> None:
    """Make sure that a map has the keys it must have, and no others.

    Args:
        found: the map.
        keys: that it may have, and whether each is required.
        where: file:line of the map.
        source: path of the file, for messages.
        what: the map is, for messages.
    """
    for key in found:
        if key not in keys:
            raise UnknownNameError(
                f"key of {what}", str(key), keys, where=line_of(found, key, source)
            )
    for key, required in keys.items():
        if required and key not in found:
            raise LockError(f"{what} lacks the key {key!r}", where=where, allowed=list(keys))


def wrong(what: str, got: object, allowed: str, where: str) -> LockError:
    """Return the error that a value of the wrong type is."""
    shown = list(got) if isinstance(got, CommentedSeq) else got
    return LockError(f"{what} has the wrong type", got=repr(shown), allowed=allowed, where=where)


def line_of(found: CommentedMap, key: object, source: str) -> str:
    """Return `file:line` of a key."""
    return f"{source}:{found.lc.key(key)[0] + 1}"


def row_map(row: LockRow) -> CommentedMap:
    """Return a row as YAML, its parameters on one line."""
    parameters = CommentedMap(
        (name, _scalar(value) if isinstance(value, str) else _flow(value))
        for name, value in row.parameters.items()
    )
    parameters.fa.set_flow_style()
    entries = CommentedMap(motif=row.motif, by=row.by, knobs=row.knobs, parameters=parameters)
    for name in ("predicted_seconds", "measured_seconds"):
        if getattr(row, name) is not None:
            entries[name] = getattr(row, name)
    return entries


def _scalar(text: str) -> str:
    """Quote what is no plain word; inside `{}` ruamel leaves some text bare and cannot read it."""
    return text if _WORD.fullmatch(text) else DoubleQuotedScalarString(text)


def _flow(value: Value) -> Value | CommentedSeq:
    if not isinstance(value, tuple):
        return value
    sequence = CommentedSeq(value)
    sequence.fa.set_flow_style()
    return sequence
