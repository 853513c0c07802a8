"""The journal: unwritable places are found first, and nothing written is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from bellrock.bench.journal import Journal, probe
from bellrock.bench.record import ProblemInfo, Record, Status, TargetInfo
from bellrock.bench.record_file import read_records
from bellrock.errors import BenchError, RecordError


def _record(name: str) -> Record:
    problem = ProblemInfo(name=name, source=name, sha256="")
    return Record(problem=problem, target=TargetInfo(name="cpu"), dtype="f32", status=Status.OK)


def test_each_record_is_on_the_disk_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "records.jsonl"
    with Journal(path, resume=False) as journal:
        for count, name in enumerate(["a", "b"], start=1):
            journal.append(_record(name))
            assert len(read_records(path)) == count


def test_an_earlier_file_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    for name in ("old", "new"):
        with Journal(path, resume=False) as journal:
            journal.append(_record(name))
    assert [r.problem.name for r in read_records(path)] == ["new"]
    previous = path.with_name("records.jsonl.previous")
    assert [r.problem.name for r in read_records(previous)] == ["old"]


def test_a_malformed_file_is_not_resumed_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text("what is this\n")
    with pytest.raises(RecordError, match=":1: not a JSON object"):
        Journal(path, resume=True)
    assert path.read_text() == "what is this\n"


def test_probing_leaves_no_trace(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("contents")
    probe(kept)
    probe(tmp_path / "absent")
    assert kept.read_text() == "contents"
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("place", ["a-file/records.jsonl", "."])
def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("")
    with pytest.raises(BenchError, match="cannot write the file"):
        probe(tmp_path / place)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_is_full_says_how_to_go_on() -> None:
    message = r"No space left on device.*--resume"
    with (
        Journal(Path("/dev/full"), resume=False) as journal,
        pytest.raises(BenchError, match=message),
    ):
        journal.append(_record("a"))
