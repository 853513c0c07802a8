"""The record: what is written is read back, and what is malformed is refused by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from bellrock.bench.record import (
    MutantInfo,
    ProblemInfo,
    Record,
    Status,
    TargetInfo,
    VerdictInfo,
    kernel_warnings,
)
from bellrock.bench.record_file import parse_record, read_records
from bellrock.errors import RecordError
from bellrock.target.program import KernelInfo


def make(name: str = "matmul", **more: object) -> Record:
    fields: dict[str, object] = {
        "problem": ProblemInfo(
            name=name, source=f"{name}.py", sha256="0" * 64, overrides={"n": 4, "sizes": [1, 2]}
        ),
        "target": TargetInfo(name="cpu"), "dtype": "f32", "status": Status.OK, **more,
    }  # fmt: skip
    return Record.model_validate(fields)


def test_round_trip() -> None:
    mutant = MutantInfo(
        name="zeros", rejected=True, able=True, value=float("inf"), eager_ratio=float("nan")
    )
    verdict = VerdictInfo(reference="f64", eager_value=0.1, mutants=(mutant,), seconds=1.0)
    record = make(verdict=verdict)
    back = parse_record(record.line(), where="here:1")
    assert back.line() == record.line()
    assert back.verdict is not None
    assert back.verdict.mutants[0].value == float("inf")


def test_the_line_is_plain_json_with_a_schema() -> None:
    line = make().line()
    assert "\n" not in line
    assert json.loads(line)["schema"] == 1


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        setattr(make(), "status", Status.WRONG)  # noqa: B010 (what is typed cannot be written)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "not a JSON object"),
        ("[1]", "another schema"),
        ('{"schema": 2}', "another schema; got 2; allowed: 1"),
        ('{"schema": 1}', "malformed record: problem: Field required"),
        (make().line().replace('"status":"ok"', '"status":"fine"'), "malformed record: status"),
        (make().line().replace('"seed":0', '"sead":0'), "malformed record: sead"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(f"{make().line()}\n{line}\n")
    with pytest.raises(RecordError) as caught:
        read_records(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)


def test_a_line_cut_off_by_the_end_of_a_run_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(make().line() + "\n" + make("other").line()[:50])
    assert [r.problem.name for r in read_records(path)] == ["matmul"]


def test_of_equal_keys_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    lines = [make(status=Status.TIMEOUT), make("other"), make(), make(dtype="bf16")]
    path.write_text("".join(r.line() + "\n" for r in lines))
    found = read_records(path)
    assert [(r.problem.name, r.dtype, r.status.value) for r in found] == [
        ("other", "f32", "ok"), ("matmul", "f32", "ok"), ("matmul", "bf16", "ok"),
    ]  # fmt: skip


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot read"):
        read_records(tmp_path / "absent")


def _kernel(*, vectorised: bool, parallel: bool) -> KernelInfo:
    return KernelInfo(
        name="k", motif="scan", calls=1, path="loops", vectorised=vectorised, parallel=parallel,
        compile_seconds=0.1, cached=False,
    )  # fmt: skip


def test_only_scalar_and_serial_kernels_are_warned_of() -> None:
    both = [(a, b) for a in (False, True) for b in (False, True)]
    kernels = tuple(_kernel(vectorised=a, parallel=b) for a, b in both)
    assert kernel_warnings(kernels) == ("1 of 4 kernels are scalar and serial: 1 scan",)
    assert kernel_warnings(kernels[1:]) == ()


def test_a_mutant_that_could_be_told_and_was_not_is_a_defect_of_the_checker() -> None:
    def mutant(name: str, *, able: bool, rejected: bool) -> MutantInfo:
        return MutantInfo(name=name, able=able, rejected=rejected, value=0.0, eager_ratio=0.0)

    verdict = VerdictInfo(
        reference="f64", eager_value=0.0, seconds=0.0,
        mutants=(
            mutant("a", able=True, rejected=True), mutant("b", able=False, rejected=False),
            mutant("c", able=True, rejected=False),
        ),
    )  # fmt: skip
    assert verdict.accepted_mutants == ("c",)
