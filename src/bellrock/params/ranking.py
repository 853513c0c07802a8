"""Ranking what could be chosen for a motif by the target's cost model.

Flows in: a motif and a target. Flows out: `Ranking`: the legal proposals, fastest first, what
was refused on the way and by which constraint, and the pick. Nothing here depends on the order in
which a target proposes: equal proposals count once, and ties have a rule.

The rule: by predicted time; among equal times by the name of the class and then by the values,
smaller first. The pick is the first that is surely faster than the target's default: by more than
`RESOLUTION`, or if it is of another class (another way to compute, whose prediction may be off by
another factor) by more than `BETWEEN_CLASSES`. Where there is none the default is kept.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellrock.errors import SelectionError, UnknownNameError
from bellrock.params.constraint import Value
from bellrock.params.cost import CostModel, Prediction
from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif

if TYPE_CHECKING:
    from bellrock.target.base import Facts, Target

RESOLUTION = 0.1
"""Differences of predicted times that the model is not trusted with, as a fraction."""
BETWEEN_CLASSES = 0.25
"""The same between classes of knobs: their errors are not alike. Minimal filtering of small images
with large filters was predicted 17 % faster than the direct way, and was 50 % slower."""
LIMIT = 1024
"""Most proposals that are looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """Parameters with their predicted time."""

    knobs: Knobs
    prediction: Prediction
    refused: str = ""
    """Name of the constraint that it breaks; empty where it is legal."""

    @property
    def order(self) -> tuple[float, str, tuple[Value, ...]]:
        """The place in a ranking, whatever order proposals come in."""
        values = tuple(self.knobs.to_mapping().values())
        return self.prediction.seconds, self.knobs.name, values


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """What could be chosen for one motif, fastest first."""

    motif: Motif
    legal: tuple[Proposal, ...]
    """As many as were asked for, and the default."""
    refused: tuple[Proposal, ...]
    """Those that would be faster than the last of `legal`, were they legal."""
    default: Proposal
    """The target's own choice."""
    pick: Proposal
    """What the selector `cost-model` chooses (see the module for the rule)."""
    considered: int
    """Different proposals that were predicted."""
    truncated: bool
    """Whether the target proposed more than `LIMIT`."""

    @property
    def binding(self) -> Proposal | None:
        """The fastest of what was refused, if it is predicted to be faster than the pick.

        Its constraint is what keeps this motif from being faster.
        """
        fastest = self.refused[0] if self.refused else None
        if fastest is None or fastest.prediction.seconds >= self.pick.prediction.seconds:
            return None
        return fastest


def rank(motif: Motif, target: Target, *, top: int = 1) -> Ranking | None:
    """Rank a target's proposals for a motif.

    Args:
        motif: to choose for.
        target: proposes, predicts, and says what is legal.
        top: how many legal ones are wanted.

    Returns:
        The ranking; None where the target has no model, or its model does not know what the
        target would choose by default (so that it could not tell whether it does better).
    """
    model, facts = target.cost_model(), target.facts()
    own = target.default_choice(motif)
    if model is None or own is None:
        return None
    predicted = model.predict(motif, own, facts)
    if predicted is None:
        return None
    default = Proposal(knobs=own, prediction=predicted)
    proposed = list(itertools.islice(target.proposals(motif, own), LIMIT + 1))
    others = dict.fromkeys(proposed[:LIMIT])
    others.pop(own, None)
    ordered = sorted(
        [default, *_predicted(motif, others, model, facts)], key=lambda proposal: proposal.order
    )
    legal, refused, pick = _sift(motif, target, ordered, default, top)
    return Ranking(
        motif=motif,
        legal=tuple(legal),
        refused=tuple(refused),
        default=default,
        pick=pick,
        considered=len(ordered),
        truncated=len(proposed) > LIMIT,
    )


def _predicted(
    motif: Motif, proposed: dict[Knobs, None], model: CostModel, facts: Facts
) -> list[Proposal]:
    found = ((knobs, model.predict(motif, knobs, facts)) for knobs in proposed)
    return [Proposal(knobs=k, prediction=p) for k, p in found if p is not None]


def _sift(
    motif: Motif, target: Target, ordered: list[Proposal], default: Proposal, top: int
) -> tuple[list[Proposal], list[Proposal], Proposal]:
    """Return the first `top` legal ones with the default, what was refused before, and the pick."""
    pick: Proposal | None = None
    legal: list[Proposal] = []
    refused: list[Proposal] = []
    for proposal in ordered:
        if len(legal) >= top and pick is not None:
            break
        reason = _refusal(proposal.knobs, motif, target)
        if reason:
            refused.append(
                Proposal(knobs=proposal.knobs, prediction=proposal.prediction, refused=reason)
            )
            continue
        if len(legal) < top:
            legal.append(proposal)
        margin = margin_over(default.knobs.name, proposal.knobs.name)
        enough = default.prediction.seconds / (1 + margin)
        if pick is None and (proposal is default or proposal.prediction.seconds < enough):
            pick = proposal
    if default not in legal:
        legal.append(default)
    return legal, refused, pick or default


def margin_over(default: str, proposed: str) -> float:
    """Return by how much a class of knobs must be faster than the default's, as a fraction."""
    return RESOLUTION if default == proposed else BETWEEN_CLASSES


def _refusal(knobs: Knobs, motif: Motif, target: Target) -> str:
    """Return the name of the constraint that a proposal breaks; empty if it is legal."""
    try:
        target.check_choice(motif, knobs)
    except (SelectionError, UnknownNameError) as error:
        return knobs.broken_constraint(motif, target.facts()) or error.what
    return ""
