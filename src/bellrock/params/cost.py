"""What a cost model is: predicted seconds for a motif with given parameters, term by term.

Flows in: a motif, its knobs, a device's facts. Flows out: `Prediction`. Targets bring models;
the selector `cost-model` ranks candidates by them, and `bellrock explain` prints the terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif

if TYPE_CHECKING:
    from bellrock.target.base import Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """A predicted time, and what it is made of."""

    seconds: float
    """Of one execution."""
    terms_seconds: Mapping[str, float] = field(default_factory=dict)
    """Named parts, e.g. `compute`, `L2 traffic`. They need not add up: a model may take the
    largest."""


@runtime_checkable
class CostModel(Protocol):
    """Predicts; never measures. Pure: equal arguments give equal predictions."""

    def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction | None:
        """Return the predicted time of one execution, None of a class of knobs it does not know.

        Args:
            motif: what is computed.
            knobs: parameters for it; illegal ones (too large a tile) have a time, too, so that
                it can be said what a constraint costs.
            facts: of the device.
        """
        ...
