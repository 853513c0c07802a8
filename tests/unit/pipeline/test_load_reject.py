"""Whole messages for descriptors that must be refused, each at the place that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bellrock.errors import PipelineError
from bellrock.pipeline import search
from bellrock.pipeline.load import load_pipeline

HEAD = "schema: 1\nsummary: T.\n"
PART = """\
schema: 1
summary: T.
variables: {n: {type: int}}
stages:
  - pass: canonicalize
    options: {max-iterations: "${n}"}
"""
SEQUENCES = """\
module attributes {transform.with_named_sequence} {
  transform.named_sequence @go(%m: !transform.any_op) {
    transform.yield
  }
}
"""
CASE = re.compile(r"^=== (.+)\n((?s:.*?))^--- refused\n(.+)\n", re.MULTILINE)
CASES = CASE.findall((Path(__file__).parent / "rejects.txt").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    library = tmp_path / "library" / "common"
    library.mkdir(parents=True)
    for name in ("normalise", "other"):
        (library / f"{name}.yaml").write_text(HEAD + "stages: []\n")
    monkeypatch.setattr(search, "LIBRARY", tmp_path / "library")
    (tmp_path / "part.yaml").write_text(PART)
    (tmp_path / "t.mlir").write_text(SEQUENCES)
    (tmp_path / "bad.mlir").write_text(SEQUENCES.replace("yield", "yeld"))


def _load(name: str, variables: dict[str, object] | None = None) -> None:
    load_pipeline(
        name,
        target_facts={"vector_bits": 512, "cores": 2},
        schedules=["tile-and-fuse"],
        selectors=["lock", "default"],
        motifs=["contraction", "convolution"],
        choices=["blocks"],
        features=["a", "avx2", "avx512bf16"],
        variables=variables,
    )


def test_the_cases_are_all_found() -> None:
    assert len(CASES) >= 80
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("text", "message"), [pytest.param(t, m, id=n) for n, t, m in CASES])
def test_refused_with_a_whole_message(text: str, message: str) -> None:
    Path("p.yaml").write_text(text.replace("HEAD\n", HEAD))
    with pytest.raises(PipelineError) as caught:
        _load("p.yaml")
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.yaml", "no such pipeline file; got gone.yaml."),
        (
            "common/norm",
            "unknown pipeline 'common/norm'; allowed: common/normalise, common/other; "
            "did you mean 'common/normalise'?",
        ),
    ],
)
def test_a_pipeline_that_is_not_there(name: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        _load(name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"m": 1}, "values given to part.yaml: unknown variable 'm'; allowed: n."),
        (
            {"n": True},
            "values given to part.yaml: the variable 'n' has the wrong type; "
            "got True (bool); allowed: int.",
        ),
    ],
)
def test_values_from_outside_are_checked(variables: dict[str, object], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        _load("part.yaml", variables=variables)
    assert str(caught.value) == message


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    Path("p.yaml").write_bytes(b"schema: \xff")
    with pytest.raises(PipelineError, match=r"^p\.yaml: the pipeline is not UTF-8 text; got "):
        _load("p.yaml")


def test_a_chain_of_includes_is_shown() -> None:
    for name, other in [("a", "b"), ("b", "c"), ("c", "b")]:
        Path(f"{name}.yaml").write_text(f"{HEAD}stages:\n  - include: {other}.yaml\n")
    with pytest.raises(PipelineError) as caught:
        _load("a.yaml")
    assert str(caught.value) == (
        "c.yaml:4:14: a pipeline includes itself; got b.yaml -> c.yaml -> b.yaml."
    )


def test_the_branch_that_is_not_taken_is_checked_too() -> None:
    Path("p.yaml").write_text(
        f"{HEAD}variables: {{fast: {{type: bool, default: true}}}}\nstages:\n"
        "  - when: {variable: fast}\n    then: [{pass: cse}]\n    else: [{pass: csee}]\n"
    )
    with pytest.raises(PipelineError) as caught:
        _load("p.yaml")
    assert str(caught.value) == "p.yaml:7:19: unknown pass 'csee'; did you mean 'cse'?"
