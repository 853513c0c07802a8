"""Recorded tables: written and read again, correlation and regret by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bellrock.errors import BellrockError
from bellrock.params.cost import Prediction
from bellrock.params.knobs import Knobs
from bellrock.payload import generate
from bellrock.payload.motif import Motif
from bellrock.target.base import Facts
from bellrock.target.recorded import Case, Measured, read_cases, to_line
from bellrock.testing.payloads import motifs_of
from bellrock.testing.selector import MODEL_TARGET, TileKnobs

(MOTIF,) = (m for m in motifs_of(generate.matmul(12, 5, 7)) if m.kind == "contraction")
CASE = Case(
    name="a case",
    motif=MOTIF,
    facts=MODEL_TARGET.facts(),
    measured=tuple(
        Measured(knobs=TileKnobs(tile=tile), seconds=seconds)
        for tile, seconds in ((1, 4e-3), (2, 2e-3), (4, 1e-3), (8, 3e-3))
    ),
)


class Model:
    """Predicts what it is told, by tile."""

    def __init__(self, **seconds: float) -> None:
        self._seconds = seconds

    def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction | None:
        assert isinstance(knobs, TileKnobs)
        seconds = self._seconds.get(f"t{knobs.tile}")
        return None if seconds is None else Prediction(seconds=seconds)


def test_a_case_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text(to_line(CASE) + "\n" + to_line(CASE) + "\n")
    first, second = read_cases(path, [TileKnobs])
    assert first == second
    assert first.measured == CASE.measured
    assert first.facts == CASE.facts
    assert first.motif.signature() == MOTIF.signature()
    assert first.motif.loops == MOTIF.loops


def test_rank_correlation() -> None:
    assert CASE.rank_correlation(Model(t1=4, t2=2, t4=1, t8=3)) == pytest.approx(1)
    assert CASE.rank_correlation(Model(t1=1, t2=3, t4=4, t8=2)) == pytest.approx(-1)
    # Ranks 4 2 1 3 against 4 1 2 3: 1 - 6 * (1 + 1) / (4 * 15).
    assert CASE.rank_correlation(Model(t1=4, t2=1, t4=2, t8=3)) == pytest.approx(0.8)


def test_regret_is_of_the_pick_that_the_selector_would_make() -> None:
    assert CASE.regret(Model(t1=4, t2=2, t4=1, t8=3)) == 0
    assert CASE.regret(Model(t1=4, t2=1, t4=2, t8=3)) == pytest.approx(1)
    # Within the resolution, the default stays: 4 ms where 1 ms is the best.
    assert CASE.regret(Model(t1=1.05, t2=2, t4=1, t8=3)) == pytest.approx(3)
    assert CASE.default_regret() == pytest.approx(3)


def test_classes_that_are_not_known_are_errors(tmp_path: Path) -> None:
    with pytest.raises(BellrockError, match="contract-tile"):
        CASE.rank_correlation(Model(t1=1))
    path = tmp_path / "table.jsonl"
    path.write_text(to_line(CASE) + "\n")
    with pytest.raises(BellrockError, match=r"table.jsonl:1: .*contract-tile.*record it again"):
        read_cases(path, [])
    path.write_text(to_line(CASE).replace('"schema": 1', '"schema": 7'))
    with pytest.raises(BellrockError, match="another schema; got 7"):
        read_cases(path, [TileKnobs])
