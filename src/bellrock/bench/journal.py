"""The journal: a JSON Lines file that records are appended to as they are made.

Flows in: records. Flows out: a file that is whole up to its last line whatever happens,
and, when a run is resumed, the records that are in it already.
"""

from __future__ import annotations

import os
import sys
from io import FileIO
from pathlib import Path
from typing import Self

from bellrock.bench.record import Record
from bellrock.bench.record_file import read_records
from bellrock.errors import BenchError

PROBE_BYTES = 64 << 10


def probe(path: Path) -> None:
    """Make sure that a file can be written, before hours are spent on its contents.

    The file's contents stay as they are; folders on the way to it are made.

    Raises:
        BenchError: it cannot be written, or the disk is full.
    """
    existed = path.exists()
    if existed and not path.is_file() and not path.is_dir():
        return  # a pipe or a device, which takes what it is given
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            size = file.tell()
            try:
                file.write(b"\n" * PROBE_BYTES)
                file.flush()
                os.fsync(file.fileno())
            finally:
                file.truncate(size)
        if not existed:
            path.unlink()
    except OSError as error:
        raise BenchError(
            "cannot write the file", got=error.strerror or str(error), where=path,
            hint="name another file, or make room",
        ) from error  # fmt: skip


class Journal:
    """Records in a file (or, as `-`, on standard output). One process writes it."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Open the file.

        Args:
            path: the file; `-` is standard output.
            resume: keep what is in it; else an older file is kept as `PATH.previous`.

        Raises:
            RecordError: it is resumed and malformed.
            BenchError: it cannot be written.
        """
        self._path = path
        self._known: dict[tuple[str, ...], Record] = {}
        self._file: FileIO | None = None
        if str(path) == "-":
            return
        probe(path)
        if path.is_file() and path.stat().st_size:
            self._take_over(path, resume=resume)
        self._file = path.open("ab", buffering=0)  # nothing is left to write when it closes

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def find(self, key: tuple[str, ...]) -> Record | None:
        """Return the record of a key, if it was there from the start."""
        return self._known.get(key)

    def append(self, record: Record) -> None:
        """Write a record; when this returns, it is on the disk.

        Raises:
            BenchError: it cannot be written.
        """
        try:
            self._write(record.line() + "\n")
        except BrokenPipeError:
            raise  # the reader of our output went away, which is not an error of the place
        except OSError as error:
            raise BenchError(
                "cannot write the record",
                got=error.strerror or str(error),
                where=self._path,
                hint="make room, then go on with --resume",
            ) from error

    def _write(self, line: str) -> None:
        if self._file is None:
            sys.stdout.write(line)
            sys.stdout.flush()
            return
        data = line.encode()
        while data:
            data = data[self._file.write(data) :]
        if self._path.is_file():
            os.fsync(self._file.fileno())

    def _take_over(self, path: Path, *, resume: bool) -> None:
        if not resume:
            path.replace(path.with_name(path.name + ".previous"))
            return
        self._known = {record.key: record for record in read_records(path)}
        data = path.read_bytes()
        if not data.endswith(b"\n"):
            # Half a line that a killed run left behind would spoil the next one.
            with path.open("r+b") as file:
                file.truncate(data.rfind(b"\n") + 1)
