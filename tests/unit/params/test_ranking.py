"""Ranking by a cost model: what the pick depends on, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellrock.params.cost import CostModel, Prediction
from bellrock.params.knobs import Knobs, knob
from bellrock.params.ranking import BETWEEN_CLASSES, LIMIT, RESOLUTION, Ranking, rank
from bellrock.params.select import SELECTORS, SelectionContext
from bellrock.payload import generate
from bellrock.payload.motif import Motif
from bellrock.target.base import Facts
from bellrock.testing.payloads import motifs_of
from bellrock.testing.selector import ModelTarget, TileKnobs

(MOTIF,) = (m for m in motifs_of(generate.matmul(12, 5, 7)) if m.kind == "contraction")
"""12 rows: tiles above are refused, by the constraint `tile-within-m`."""


class Model:
    """Any function of the tile; tiles of which it is None are not known."""

    def __init__(self, seconds: Callable[[int], float | None]) -> None:
        self._seconds = seconds

    def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction | None:
        assert isinstance(knobs, TileKnobs)
        seconds = self._seconds(knobs.tile)
        return None if seconds is None else Prediction(seconds=seconds)


class Proposing(ModelTarget):
    """Proposes what it is told to; the default is a tile of 1."""

    def __init__(self, tiles: list[int], seconds: Callable[[int], float | None]) -> None:
        self._tiles, self._model = tiles, Model(seconds)

    def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
        yield from (TileKnobs(tile=t) for t in self._tiles)

    def cost_model(self) -> CostModel:
        return self._model


def ranked(tiles: list[int], seconds: Callable[[int], float | None], *, top: int = 9) -> Ranking:
    ranking = rank(MOTIF, Proposing(tiles, seconds), top=top)
    assert ranking is not None
    return ranking


def tiles_of(ranking: Ranking) -> list[int]:
    return [int(str(p.knobs.to_mapping()["tile"])) for p in ranking.legal]


@given(st.permutations([1, 2, 3, 4, 6, 8, 12, 16, 24, 8, 3]))
def test_the_order_of_proposals_and_repetitions_do_not_matter(tiles: list[int]) -> None:
    # 2 and 8, 3 and 12, 4 and 6 take equal times.
    ranking = ranked(tiles, lambda t: 10.0 + abs(5 - t) + (t == 12) * -5)
    assert tiles_of(ranking) == [4, 6, 3, 12, 2, 8, 1]
    assert [p.knobs for p in ranking.refused] == [TileKnobs(tile=16), TileKnobs(tile=24)]
    assert ranking.considered == 9


def test_the_smaller_of_equals_is_picked() -> None:
    assert ranked([8, 4, 2], lambda t: 2.0 if t == 1 else 1.0).pick.knobs == TileKnobs(tile=2)


def test_the_default_is_kept_where_the_model_cannot_tell() -> None:
    near = ranked([2], lambda t: 1 + RESOLUTION * 0.99 if t == 1 else 1.0)
    assert near.pick.knobs == TileKnobs(tile=1)
    far = ranked([2], lambda t: 1 + RESOLUTION * 1.01 if t == 1 else 1.0)
    assert far.pick.knobs == TileKnobs(tile=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherKnobs(Knobs, name="ranking-other"):
    """Another way to compute."""

    tile: int = knob(low=1, high=64)


@pytest.mark.parametrize(
    ("faster", "expected"),
    [(BETWEEN_CLASSES * 0.99, TileKnobs(tile=2)), (BETWEEN_CLASSES * 1.01, OtherKnobs(tile=1))],
)
def test_another_class_has_to_be_faster_by_more(faster: float, expected: Knobs) -> None:
    class Two(Proposing):
        def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
            yield from (OtherKnobs(tile=1), TileKnobs(tile=2))

        def cost_model(self) -> CostModel:
            return self

        def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction | None:
            if isinstance(knobs, OtherKnobs):
                return Prediction(seconds=1 / (1 + faster))
            # The tile of 2 is the second fastest: sure, within the default's own class.
            return Prediction(seconds=1.0 if knobs == TileKnobs(tile=1) else 0.9 / (1 + RESOLUTION))

    ranking = rank(MOTIF, Two([], float), top=1)
    assert ranking is not None
    assert ranking.pick.knobs == expected


def test_the_binding_constraint_is_that_of_the_fastest_that_was_refused() -> None:
    ranking = ranked([2, 4, 16, 32], lambda t: 1.0 / t, top=1)
    assert ranking.pick.knobs == TileKnobs(tile=4)
    assert ranking.binding is not None
    assert ranking.binding.knobs == TileKnobs(tile=32)
    assert ranking.binding.refused == "tile-within-m"
    assert [p.knobs for p in ranking.refused] == [TileKnobs(tile=32), TileKnobs(tile=16)]


def test_nothing_binds_where_what_is_refused_is_slower() -> None:
    assert ranked([2, 16], float, top=9).binding is None
    assert [p.refused for p in ranked([2, 16], float).refused] == ["tile-within-m"]


def test_a_value_out_of_range_is_refused_by_what_it_breaks() -> None:
    (refused,) = ranked([65], lambda t: 1.0 / t).refused
    assert "tile-within-m" in refused.refused  # the constraint is broken, too
    (refused,) = ranked([0], lambda t: 1.0 + t).refused
    assert refused.refused == "the knob contract-tile.tile is out of its range"


def test_top_limits_what_is_legal_but_the_default_is_always_there() -> None:
    assert tiles_of(ranked([2, 3, 4], lambda t: 1.0 / t, top=2)) == [4, 3, 1]


def test_more_proposals_than_the_limit_are_said_to_be_left_out() -> None:
    class Endless(Proposing):
        def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
            number = 0
            while True:
                number += 1
                yield TileKnobs(tile=number)

    ranking = rank(MOTIF, Endless([], float))
    assert ranking is not None
    assert ranking.truncated
    assert ranking.considered == LIMIT


def test_a_model_that_does_not_know_the_default_leaves_the_choice_to_it() -> None:
    target = Proposing([2, 4], lambda t: None if t == 1 else 1.0)
    assert rank(MOTIF, target) is None
    assert SELECTORS.get("cost-model").choose(MOTIF, SelectionContext(target=target)) is None


def test_classes_that_the_model_does_not_know_are_no_candidates() -> None:
    assert tiles_of(ranked([2, 4], lambda t: None if t == 4 else 1.0 / t)) == [2, 1]


def test_with_nothing_to_choose_from_the_selector_has_no_answer() -> None:
    context = SelectionContext(target=Proposing([1, 1], float))
    assert SELECTORS.get("cost-model").choose(MOTIF, context) is None
