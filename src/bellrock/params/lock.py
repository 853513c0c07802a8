"""The lock file: every choice of a run as YAML, to be kept, edited and passed back in.

Flows in: rows from selection, or a file. Flows out: the file, or rows by motif. Reading is
strict: an unknown key, a wrong type, a row given twice is an error with file:line.

    schema: 1
    target: cpu
    choices:
    - motif: contraction [batch=1 m=64 n=64 k=64] (mk:f32, kn:f32) -> (mn:f32)
      by: default
      knobs: matmul
      parameters: {tile: [8, 32, 64], unroll: 2}
      predicted_seconds: 1.2e-05
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from bellrock.documents import Kind
from bellrock.errors import LockError, UnknownNameError
from bellrock.params.constraint import Value
from bellrock.payload.motifs.base import Motif

SCHEMA = 1
_FILE = Kind(name="lock file", error=LockError, hint="write one with --write-lock")
_HEADER = """\
Choices of one run of Bellrock, one row for each distinct motif.
Pass this file back with --lock to use them again. Edit `parameters` to override a choice;
rows that are left out are chosen anew. `by` says who chose and is for people.
"""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_KEYS = {"schema": True, "target": False, "choices": True}
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """Rows by motif. Frozen; which rows were used is the reader's to know (`unused`)."""

    rows: tuple[LockRow, ...] = ()
    target: str = ""
    """Target that the choices are for; empty for any."""
    source: str = ""
    """Path of the file, for messages."""

    def lookup(self, motif: Motif) -> LockRow | None:
        """Return the row of a motif, or None."""
        return self._by_motif().get(motif.signature())

    def unused(
        self, used: Iterable[LockRow], kinds: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Return one warning for each row that matched nothing.

        Args:
            used: rows of the run; compared by motif.
            kinds: of motif that the run was for, if not for all; rows of others are left out.
        """
        matched = {row.motif for row in used}
        return tuple(
            f"{row.where or self.source or 'lock'}: matches no op of this payload: {row.motif}"
            for row in self.rows
            if row.motif not in matched and (kinds is None or row.motif.partition(" ")[0] in kinds)
        )

    def check_target(self, target: str) -> None:
        """Make sure that the choices are for a target.

        Of another device of it they may be: each row is checked against this one's constraints.

        Args:
            target: name, with or without a device.

        Raises:
            LockError: they are for another one.
        """
        wanted = target.partition(":")[0]
        if self.target and self.target.partition(":")[0] != wanted:
            raise LockError(
                "the lock file is for another target",
                got=self.target,
                allowed=wanted,
                where=self.source or None,
            )

    def _by_motif(self) -> dict[str, LockRow]:
        return {row.motif: row for row in self.rows}

    def text(self) -> str:
        """Return the file's text: rows by motif, keys in a fixed order."""
        document = CommentedMap()
        document["schema"] = SCHEMA
        if self.target:
            document["target"] = self.target
        rows = sorted(self.rows, key=lambda row: row.motif)
        document["choices"] = CommentedSeq([_row_map(row) for row in rows])
        document.yaml_set_start_comment(_HEADER)
        stream = io.StringIO()
        _yaml().dump(document, stream)
        return stream.getvalue()

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Args:
            path: of the file; its folder must exist.

        Raises:
            LockError: it cannot be written.
        """
        partial = path.with_name(path.name + ".partial")
        try:
            if path.exists() and not path.is_file():  # a device must not be replaced
                path.write_text(self.text(), encoding="utf-8")
                return
            partial.write_text(self.text(), encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise LockError(
                "cannot write the lock file",
                got=error.strerror,
                where=path,
                hint="name a file in a folder that exists and can be written",
            ) from error


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Args:
        path: of the file.

    Raises:
        LockError: it cannot be read, or is not a lock file; carries file:line.
        UnknownNameError: a key that lock files do not have.
    """
    return parse_lock(_FILE.read_text(path), source=str(path))


def parse_lock(text: str, *, source: str) -> Lock:
    """Return the lock that a text holds (see `read_lock`).

    Args:
        text: YAML.
        source: name of the file, for messages.
    """
    root = _FILE.parse_map(text, source=source)
    _check_keys(root, _KEYS, f"{source}:1", source, "a lock file")
    schema = root["schema"]
    if schema != SCHEMA or isinstance(schema, bool):
        raise LockError(
            "the lock file has another schema",
            got=schema,
            allowed=str(SCHEMA),
            where=_line(root, "schema", source),
            hint="write it again with --write-lock",
        )
    choices = root["choices"]
    if choices is not None and not isinstance(choices, CommentedSeq):
        raise _wrong("choices", choices, "a list of rows", _line(root, "choices", source))
    rows = tuple(_row(choices, i, source) for i in range(len(choices))) if choices else ()
    _refuse_duplicates(rows)
    target = root.get("target", "")
    if not isinstance(target, str):
        raise _wrong("target", target, "a name", _line(root, "target", source))
    return Lock(rows=rows, target=str(target), source=source)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.width = 4096
    yaml.allow_unicode = True
    return yaml


def _row(choices: CommentedSeq, index: int, source: str) -> LockRow:
    row = choices[index]
    where = f"{source}:{choices.lc.item(index)[0] + 1}"
    if not isinstance(row, CommentedMap):
        raise _wrong(f"choices[{index}]", row, "a map", where)
    _check_keys(row, _ROW_KEYS, where, source, "a lock row")
    strings: dict[str, str] = {}
    for key in ("motif", "by", "knobs"):
        value = row.get(key, "lock")
        if not isinstance(value, str):
            raise _wrong(key, value, "a string", _line(row, key, source))
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
    where = _line(row, "parameters", source)
    if not isinstance(parameters, CommentedMap):
        raise _wrong("parameters", parameters, "a map of names to values", where)
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
    raise _wrong(f"parameters.{name}", value, "an integer, string, bool or integer list", where)


def _seconds(row: CommentedMap, key: str, source: str) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise _wrong(key, value, "seconds, at least 0", _line(row, key, source))
    return float(value)


def _check_keys(
    found: CommentedMap, keys: Mapping[str, bool], where: str, source: str, what: str
) -> None:
    for key in found:
        if key not in keys:
            raise UnknownNameError(
                f"key of {what}", str(key), keys, where=_line(found, key, source)
            )
    for key, required in keys.items():
        if required and key not in found:
            raise LockError(f"{what} lacks the key {key!r}", where=where, allowed=list(keys))


def _refuse_duplicates(rows: Sequence[LockRow]) -> None:
    first: dict[str, LockRow] = {}
    for row in rows:
        other = first.setdefault(row.motif, row)
        if other is not row:
            raise LockError(
                "two rows for one motif",
                got=row.motif,
                where=row.where,
                hint=f"remove this one or the one at {other.where}",
            )


def _wrong(what: str, got: object, allowed: str, where: str) -> LockError:
    shown = list(got) if isinstance(got, CommentedSeq) else got
    return LockError(f"{what} has the wrong type", got=repr(shown), allowed=allowed, where=where)


def _line(found: CommentedMap, key: object, source: str) -> str:
    return f"{source}:{found.lc.key(key)[0] + 1}"


def _row_map(row: LockRow) -> CommentedMap:
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
