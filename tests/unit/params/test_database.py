"""The database of measured choices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bellrock.errors import LockError
from bellrock.params.database import read_database
from bellrock.payload.motif import Motif, MotifKind

MOTIF = Motif(kind=MotifKind.REDUCTION, op="linalg.reduce", dims={"parallel": 3, "reduced": 4})
LINE = {
    "schema": 1, "device": "a machine", "motif": MOTIF.signature(), "knobs": "rows",
    "parameters": {"tile": [8, 4], "unroll": 2}, "measured_seconds": 2e-4,
}  # fmt: skip


def write(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_the_fastest_row_of_a_device_wins(tmp_path: Path) -> None:
    database = read_database(write(
        tmp_path / "db.jsonl",
        LINE,
        {**LINE, "measured_seconds": 1e-4, "parameters": {"tile": [4, 4]}},
        {**LINE, "measured_seconds": 1e-5, "device": "another"},
        {**LINE, "measured_seconds": None, "failure": "compile: out of registers"},
    ))  # fmt: skip
    row = database.lookup(MOTIF, device="a machine")
    assert row is not None
    assert (row.measured_seconds, row.parameters) == (1e-4, {"tile": (4, 4)})
    assert row.where == f"{tmp_path / 'db.jsonl'}:2"
    assert database.lookup(MOTIF, device="none") is None


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "db.jsonl", LINE)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"schema": 1, "devi')
    assert len(read_database(path).best) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n", "db.jsonl:1: not valid JSON; got Expecting property name enclosed in double "
                "quotes."),
        (json.dumps({**LINE, "schema": 2}) + "\n",
         "db.jsonl:1: a database line has a wrong 'schema'; got Input should be less than or "
         "equal to 1."),
        (json.dumps({**LINE, "measured_seconds": -1.0}) + "\n",
         "db.jsonl:1: a database line has a wrong 'measured_seconds'; got Input should be "
         "greater than 0."),
        (json.dumps({**LINE, "extra": 1}) + "\n",
         "db.jsonl:1: a database line has a wrong 'extra'; got Extra inputs are not permitted."),
    ],
)  # fmt: skip
def test_malformed_lines(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "db.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LockError) as error:
        read_database(path)
    assert str(error.value) == f"{tmp_path}/{message}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LockError) as error:
        read_database(tmp_path / "db.jsonl")
    assert str(error.value) == (
        f"{tmp_path / 'db.jsonl'}: cannot read the database; got No such file or directory."
    )
