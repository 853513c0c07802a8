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
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bellrock.documents import Kind
from bellrock.errors import LockError
from bellrock.params.lock_row import LockRow, check_keys, line_of, read_row, row_map, wrong
from bellrock.payload.motifs.base import Motif

__all__ = ["Lock", "LockRow", "parse_lock", "read_lock"]

SCHEMA = 1
_FILE = Kind(name="lock file", error=LockError, hint="write one with --write-lock")
_HEADER = """\
Choices of one run of Bellrock, one row for each distinct motif.
Pass this file back with --lock to use them again. Edit `parameters` to override a choice;
rows that are left out are chosen anew. `by` says who chose and is for people.
"""
_KEYS = {"schema": True, "target": False, "choices": True}


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
        document["choices"] = CommentedSeq([row_map(row) for row in rows])
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
    check_keys(root, _KEYS, f"{source}:1", source, "a lock file")
    schema = root["schema"]
    if schema != SCHEMA or isinstance(schema, bool):
        raise LockError(
            "the lock file has another schema",
            got=schema,
            allowed=str(SCHEMA),
            where=line_of(root, "schema", source),
            hint="write it again with --write-lock",
        )
    choices = root["choices"]
    if choices is not None and not isinstance(choices, CommentedSeq):
        raise wrong("choices", choices, "a list of rows", line_of(root, "choices", source))
    rows = tuple(read_row(choices, i, source) for i in range(len(choices))) if choices else ()
    _refuse_duplicates(rows)
    target = root.get("target", "")
    if not isinstance(target, str):
        raise wrong("target", target, "a name", line_of(root, "target", source))
    return Lock(rows=rows, target=str(target), source=source)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.width = 4096
    yaml.allow_unicode = True
    return yaml


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
