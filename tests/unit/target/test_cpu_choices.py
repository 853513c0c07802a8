"""The processor's cost model against recorded tables: does it put candidates in the right order?

The tables are in `tests/data/choices`; `scripts/record_choices.py` makes them. Nothing is
measured here.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from bellrock.params.cost import CostModel, Prediction
from bellrock.params.knobs import Knobs
from bellrock.payload.motif import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.cost.model import MODEL
from bellrock.target.cpu.params import ALL_KNOBS
from bellrock.target.recorded import Case, read_cases

TABLES = sorted((Path(__file__).parents[2] / "data" / "choices").glob("*.jsonl"))
MEDIAN_REGRET = 0.10
MEDIAN_CORRELATION = 0.5
FAMILIES = ("contraction", "convolution", "attention")
"""Of which the model compares ways and tiles; of a reduction's blocks it knows little."""
FAMILY_REGRET = 0.10


class Backwards:
    """A model that takes slow for fast: what the tests below must not accept."""

    def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction | None:
        found = MODEL.predict(motif, knobs, facts)
        return None if found is None else Prediction(seconds=1 / found.seconds)


@pytest.fixture(scope="module", params=TABLES, ids=lambda path: path.stem)
def cases(request: pytest.FixtureRequest) -> list[Case]:
    return read_cases(request.param, ALL_KNOBS)


def median_regret(cases: list[Case], model: CostModel) -> float:
    return statistics.median(case.regret(model) for case in cases)


def test_there_are_tables() -> None:
    assert TABLES


def test_a_table_has_many_shapes_and_no_case_twice(cases: list[Case]) -> None:
    names = [(case.name, case.facts.cores) for case in cases]
    assert len(set(names)) == len(names) >= 12
    assert {name.partition("-")[0] for name, _ in names} >= set(FAMILIES)
    assert all(len(case.measured) >= 4 for case in cases)


def test_the_pick_is_close_to_the_best(cases: list[Case]) -> None:
    assert median_regret(cases, MODEL) < MEDIAN_REGRET
    assert median_regret(cases, Backwards()) > MEDIAN_REGRET


@pytest.mark.parametrize("family", FAMILIES)
def test_the_pick_is_close_to_the_best_in_each_family(cases: list[Case], family: str) -> None:
    assert median_regret([c for c in cases if c.name.startswith(family)], MODEL) < FAMILY_REGRET


def test_the_pick_is_no_worse_than_the_rule(cases: list[Case]) -> None:
    regret = statistics.mean(case.regret(MODEL) for case in cases)
    assert regret <= statistics.mean(case.default_regret() for case in cases)


def test_predicted_and_measured_times_go_together(cases: list[Case]) -> None:
    found = [case.rank_correlation(MODEL) for case in cases if case.name.startswith(FAMILIES)]
    assert statistics.median(found) > MEDIAN_CORRELATION
    backwards = [c.rank_correlation(Backwards()) for c in cases if c.name.startswith(FAMILIES)]
    assert statistics.median(backwards) < -MEDIAN_CORRELATION
