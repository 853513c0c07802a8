"""`bellrock explain`: whole outputs, on a target with small knobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bellrock.cli.main import cli
from bellrock.params.cost import CostModel, Prediction
from bellrock.params.knobs import Knobs
from bellrock.payload import generate
from bellrock.payload.motif import Motif
from bellrock.target.base import Facts, Target
from bellrock.testing.payloads import MATMUL_CHAIN
from bellrock.testing.selector import ModelTarget, TileKnobs

PIPELINE = """\
schema: 1
summary: Chooses, and then does what nobody waits for.
stages:
  - pass: canonicalize
  - select: {motifs: all, by: [lock, cost-model, default]}
  - pass: cse
"""
NO_SELECTION = "schema: 1\nsummary: Chooses nothing.\nstages:\n  - pass: canonicalize\n"
MOTIF = "contraction [batch=1 m=12 n=5 k=7] (mk:f32, kn:f32) -> (mn:f32)"
LOCK = f"""\
schema: 1
target: small
choices:
- motif: {MOTIF}
  by: me
  knobs: contract-tile
  parameters: {{tile: 3}}
"""


class Model:
    """A tile takes 12 ms less 1 ms for each row; from 4 on it makes little difference."""

    def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction:
        assert isinstance(knobs, TileKnobs)
        work = (12 - knobs.tile) * 1e-3 if knobs.tile < 4 else (8 - knobs.tile / 100) * 1e-3
        return Prediction(
            seconds=work + 1e-6, terms_seconds={"rows": work, "a": 5e-7, "b": 4e-7, "c": 6e-8,
                                                "d": 3e-8, "e": 1e-8},
        )  # fmt: skip


class Small(ModelTarget):
    name = "small"

    def __init__(self, pipelines: Path) -> None:
        self._pipelines = pipelines

    def default_pipeline(self) -> str:
        return "choosing"

    def pipelines(self) -> Path:
        return self._pipelines

    def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
        yield from (TileKnobs(tile=t) for t in (2, 4, 16))

    def cost_model(self) -> CostModel:
        return Model()


class Unpredicted(Small):
    cost_model = Target.cost_model  # pyright: ignore[reportAssignmentType]  (takes it back)


class _Targets:
    def __init__(self, *targets: Target) -> None:
        self.targets = {t.name: t for t in targets}

    def get(self, name: str) -> Target:
        return self.targets[name]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "choosing.yaml").write_text(PIPELINE)
    (tmp_path / "nothing.yaml").write_text(NO_SELECTION)
    (tmp_path / "lock.yaml").write_text(LOCK)
    (tmp_path / "matmul.mlir").write_text(generate.matmul(12, 5, 7))
    use(monkeypatch, Small(tmp_path / "pipelines"))
    return tmp_path


def use(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    targets = _Targets(target)
    monkeypatch.setattr("bellrock.compiler.explaining.TARGETS", targets)
    monkeypatch.setattr("bellrock.compiler.staging.TARGETS", targets)


def run(words: str, *, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["explain", *words.split()])
    assert result.exit_code == code, result.output
    return result


HEAD = f"""\
matmul on small (contract)
asked in order: lock, cost-model, default

1. {MOTIF}
"""
EXPLAINED = (
    HEAD
    + """\
   chosen by cost-model: contract-tile tile=4
   4 candidates predicted, the fastest:
    1  7.96 ms  contract-tile tile=4; chosen
               rows 7.96 ms, a 500 ns, b 400 ns, c 60 ns, other 40 ns
    2    10 ms  contract-tile tile=2; not chosen: 25.6% slower
               rows 10 ms, a 500 ns, b 400 ns, c 60 ns, other 40 ns
    3    11 ms  contract-tile tile=1; not chosen: 38.2% slower
               rows 11 ms, a 500 ns, b 400 ns, c 60 ns, other 40 ns
   binding: tile-within-m; without it contract-tile tile=16 would take 7.84 ms
"""
)
LOCKED = (
    HEAD
    + """\
   chosen by me: contract-tile tile=3
   4 candidates predicted, the fastest:
    1  7.96 ms  contract-tile tile=4; not chosen: me decided
               rows 7.96 ms, a 500 ns, b 400 ns, c 60 ns, other 40 ns
    2    11 ms  contract-tile tile=1; not chosen: me decided
               rows 11 ms, a 500 ns, b 400 ns, c 60 ns, other 40 ns
   binding: tile-within-m; without it contract-tile tile=16 would take 7.84 ms
"""
)
UNPREDICTED = (
    HEAD
    + """\
   chosen by default: contract-tile tile=1
   no ranking: the target has no cost model for this motif
"""
)


def test_candidates_terms_and_the_binding_constraint() -> None:
    assert run("matmul.mlir --target small").stdout == EXPLAINED


def test_what_a_lock_decided() -> None:
    assert run("matmul.mlir --target small --lock lock.yaml --top 1").stdout == LOCKED


def test_a_target_without_a_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Unpredicted(folder / "pipelines"))
    assert run("matmul.mlir --target small").stdout == UNPREDICTED


def test_a_lock_row_that_matches_nothing_is_a_warning(folder: Path) -> None:
    (folder / "lock.yaml").write_text(LOCK.replace("m=12", "m=13"))
    text = run("matmul.mlir --target small --lock lock.yaml").stdout
    assert text.startswith(EXPLAINED)
    assert text.splitlines()[-1].startswith("warning: ")


def test_json() -> None:
    found = json.loads(run("matmul.mlir --target small --json --top 1").stdout)
    assert list(found) == ["schema", "name", "target", "device", "by", "motifs", "warnings"]
    (motif,) = found["motifs"]
    assert motif["motif"] == MOTIF
    assert motif["chosen"] == {
        "by": "cost-model", "knobs": "contract-tile", "parameters": {"tile": 4},
        "predicted_seconds": 7.961e-3, "measured_seconds": None,
    }  # fmt: skip
    assert [(c["parameters"], c["verdict"]) for c in motif["candidates"]] == [
        ({"tile": 4}, "chosen"), ({"tile": 1}, "not chosen: 38.2% slower"),
    ]  # fmt: skip
    assert motif["candidates"][0]["terms_seconds"]["a"] == 5e-7
    assert motif["binding"]["constraint"] == "tile-within-m"
    assert motif["binding"]["parameters"] == {"tile": 16}


def test_one_motif_of_several(folder: Path) -> None:
    (folder / "chain.mlir").write_text(MATMUL_CHAIN)
    several = run("chain.mlir --target small").stdout
    assert "\n1. contraction [batch=1 m=11 n=11 k=11]" in several
    assert ", 2 ops\n" in several
    assert run("chain.mlir --target small --motif 1").stdout == several


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("matmul.mlir --motif 2", "2 is not in the range 1 to 1, as motifs are numbered."),
        ("matmul.mlir --motif 0", "0 is not in the range x>=1"),
        ("matmul.mlir --top 0", "0 is not in the range x>=1"),
        ("matmul.mlir --pipeline nothing.yaml", "the pipeline selects nothing"),
        ("none.mlir", "none.mlir: cannot read the file; got No such file or directory."),
        ("matmul.txt", "cannot tell what the file is"),
        ("matmul.mlir --lock none.yaml", "none.yaml"),
    ],
)
def test_what_cannot_be_explained(words: str, message: str) -> None:
    result = run(words + " --target small", code=2)
    assert result.stdout == ""
    assert message in result.stderr


def test_the_processor_explains_a_problem(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    found = json.loads(run("matmul.mlir --json --top 2").stdout)
    (product,) = [m for m in found["motifs"] if m["motif"] == MOTIF]
    assert product["chosen"]["predicted_seconds"] > 0
    assert product["considered"] > 1
    assert len(product["candidates"]) in (2, 3)
    assert set(product["candidates"][0]["terms_seconds"]) >= {"multiply", "tiles", "call"}
