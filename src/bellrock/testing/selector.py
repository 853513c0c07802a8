"""`SelectorContract`: what every selector must keep so that it can stand in a pipeline.

Flows in: a selector's name, and in a subclass what it chooses from. Flows out: pytest's
verdict. Choices are made for `MODEL_TARGET`, a target of this file with small knobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn

import pytest

from bellrock.params.choice import Choice
from bellrock.params.constraint import Constraint
from bellrock.params.cost import CostModel, Prediction
from bellrock.params.knobs import Knobs, knob
from bellrock.params.select import SELECTORS, SelectionContext, Selector
from bellrock.payload.motif import Motif, MotifKind
from bellrock.target.base import Artifact, Emitted, Facts, Target
from bellrock.testing.payloads import ELEMENTWISE, MATMUL, MATMUL_CHAIN, motifs_of

if TYPE_CHECKING:
    from torch_mlir import ir


@dataclass(frozen=True, kw_only=True, slots=True)
class TileKnobs(Knobs, name="contract-tile"):
    """One number, and one constraint to break."""

    tile: int = knob(unit="rows", low=1, high=64, values=(1, 2, 4, 8), help="Rows at a time.")

    constraints = (Constraint("tile-within-m", "tile <= m"),)


class RowsModel:
    """The more rows at a time, the faster."""

    def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction:
        assert isinstance(knobs, TileKnobs)
        return Prediction(seconds=1.0 / knobs.tile)


class ModelTarget(Target):
    """A target that can be chosen for, but compiles nothing."""

    name = "contract"

    def facts(self) -> Facts:
        return Facts(
            device="contract",
            cores=2,
            vector_bits=256,
            vector_registers=16,
            cache_bytes={"L1d": 2**15},
            features=frozenset(),
        )

    def default_pipeline(self) -> str:
        return "none"

    def pipelines(self) -> Path:
        return Path(__file__).parent

    def knobs(self, motif: Motif) -> tuple[type[Knobs], ...]:
        return (TileKnobs,) if motif.kind is MotifKind.CONTRACTION else ()

    def default_choice(self, motif: Motif) -> Knobs | None:
        return TileKnobs(tile=1) if motif.kind is MotifKind.CONTRACTION else None

    def cost_model(self) -> CostModel:
        return RowsModel()

    def emit(self, module: ir.Module, *, entries: Mapping[str, str]) -> Emitted:
        raise NotImplementedError("chosen for only")

    def load(self, artifact: Artifact) -> NoReturn:
        raise NotImplementedError("chosen for only")


MODEL_TARGET = ModelTarget()


class SelectorContract:
    """Subclass it with `name` set; each test is one promise of `Selector`.

    A selector that answers only from something that it is given (a lock, a database)
    overrides the fixture `context` to give it.
    """

    name: ClassVar[str]
    """As registered in the entry-point group `bellrock.selectors`."""

    @pytest.fixture
    def selector(self) -> Selector:
        """The plug-in, found the way users find it."""
        return SELECTORS.get(self.name)

    @pytest.fixture
    def context(self) -> SelectionContext:
        """What the selector may ask; it must find something in it for one contraction."""
        return SelectionContext(target=MODEL_TARGET)

    def test_has_the_name_it_is_registered_under(self, selector: Selector) -> None:
        """Pipelines and lock files name selectors by it."""
        assert selector.name == self.name

    def test_it_has_an_answer(self, selector: Selector, context: SelectionContext) -> None:
        """A selector that never answers does nothing."""
        assert _answers(selector, context)

    def test_answers_are_legal(self, selector: Selector, context: SelectionContext) -> None:
        """Its answer goes on the op as it is."""
        for motif, choice in _answers(selector, context):
            assert type(choice.knobs) in context.target.knobs(motif)
            context.target.check_choice(motif, choice.knobs)

    def test_answers_say_who_chose(self, selector: Selector, context: SelectionContext) -> None:
        """The record and the lock file show it."""
        assert all(choice.by for _, choice in _answers(selector, context))

    def test_answers_are_reproducible(self, selector: Selector, context: SelectionContext) -> None:
        """Equal questions have equal answers, or no cache could be trusted."""
        assert _answers(selector, context) == _answers(selector, context)

    def test_times_are_times(self, selector: Selector, context: SelectionContext) -> None:
        """Predicted and measured times are of one execution, in seconds, or absent."""
        for _, choice in _answers(selector, context):
            for seconds in (choice.predicted_seconds, choice.measured_seconds):
                assert seconds is None or seconds > 0

    def test_nothing_to_go_on_is_no_error(self, selector: Selector) -> None:
        """Without lock, database or row the next selector is asked."""
        bare = SelectionContext(target=MODEL_TARGET)
        for motif in _contractions():
            choice = selector.choose(motif, bare)
            assert choice is None or isinstance(choice, Choice)


def _contractions() -> list[Motif]:
    motifs = motifs_of(MATMUL, MATMUL_CHAIN, ELEMENTWISE)
    return [motif for motif in motifs if MODEL_TARGET.knobs(motif)]


def _answers(selector: Selector, context: SelectionContext) -> list[tuple[Motif, Choice]]:
    pairs = ((motif, selector.choose(motif, context)) for motif in _contractions())
    return [(motif, choice) for motif, choice in pairs if choice is not None]
