"""Records as lines of a file.

Flows in: a JSON Lines file. Flows out: records, or a `RecordError` that names file and line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from bellrock.bench.record import SCHEMA, Record
from bellrock.errors import RecordError


def parse_record(text: str, *, where: str) -> Record:
    """Parse one line.

    Args:
        text: one JSON object.
        where: file:line, for the message.

    Raises:
        RecordError: it is no JSON, of another schema, or does not fit the model.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordError("not a JSON object", got=str(error), where=where) from error
    version = data.get("schema") if isinstance(data, Mapping) else None
    if version != SCHEMA:
        raise RecordError(
            "record of another schema", got=version, allowed=str(SCHEMA), where=where,
            hint="measure again with this version of Bellrock",
        )  # fmt: skip
    try:
        return Record.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(p) for p in first["loc"])
        raise RecordError(
            f"malformed record: {key}: {first['msg']}", got=repr(first["input"])[:80], where=where
        ) from error


def read_records(path: Path) -> tuple[Record, ...]:
    """Read a JSON Lines file; of equal keys the last one counts.

    A last line without its newline that does not parse is what a killed run leaves behind;
    it is passed over, because everything before it is whole.

    Raises:
        RecordError: the file cannot be read, or a line is malformed (named by file:line).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecordError("cannot read the record file", got=reason, where=path) from error
    lines = text.split("\n")
    records: dict[tuple[str, ...], Record] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = parse_record(line, where=f"{path}:{number}")
        except RecordError:
            if number == len(lines):
                break
            raise
        records.pop(record.key, None)
        records[record.key] = record
    return tuple(records.values())
