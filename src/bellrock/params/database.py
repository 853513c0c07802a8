"""The database of measured choices, read-only: what tuning runs found, by device.

Flows in: a JSON Lines file, one object a line, as `bellrock.tune` appends it:
`{"schema": 1, "device": "...", "motif": "<signature>", "knobs": "...", "parameters": {...},
"measured_seconds": 1e-4}`; a line with `"failure"` records a candidate that did not work.
Flows out: the fastest row for a motif on a device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bellrock.errors import LockError
from bellrock.params.lock import LockRow
from bellrock.payload.motifs.base import Motif


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    schema_: int = Field(alias="schema", ge=1, le=1)
    device: str
    motif: str
    knobs: str
    parameters: dict[str, bool | int | str | list[int]]
    measured_seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    failure: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """The fastest measured row for each device and motif."""

    source: str
    best: Mapping[tuple[str, str], LockRow] = field(default_factory=dict)
    """By device and motif signature."""

    def lookup(self, motif: Motif, *, device: str) -> LockRow | None:
        """Return the fastest row of a motif on a device, or None."""
        return self.best.get((device, motif.signature()))


def read_database(path: Path) -> Database:
    """Read a database file.

    Args:
        path: of the file.

    Raises:
        LockError: it cannot be read, or a line is malformed; carries file:line. A last line
            that was cut off (a run that was killed) is left out.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LockError("cannot read the database", got=reason, where=path) from error
    best: dict[tuple[str, str], LockRow] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == len(lines) and not line.endswith("\n")):
            continue
        where = f"{path}:{number}"
        parsed = _parse(line, where)
        if parsed.measured_seconds is None or parsed.failure is not None:
            continue
        row = _row(parsed, where)
        key = (parsed.device, parsed.motif)
        other = best.get(key)
        if other is None or _seconds(row) < _seconds(other):
            best[key] = row
    return Database(source=str(path), best=best)


def _parse(line: str, where: str) -> _Line:
    try:
        return _Line.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise LockError("not valid JSON", got=error.msg, where=where) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise LockError(
            f"a database line has a wrong {key or 'value'!r}", got=first["msg"], where=where
        ) from error


def _row(line: _Line, where: str) -> LockRow:
    return LockRow(
        motif=line.motif,
        knobs=line.knobs,
        parameters={
            name: tuple(value) if isinstance(value, list) else value
            for name, value in line.parameters.items()
        },
        by="database",
        measured_seconds=line.measured_seconds,
        where=where,
    )


def _seconds(row: LockRow) -> float:
    return row.measured_seconds if row.measured_seconds is not None else float("inf")
