"""The selector `cost-model`: the candidate that the target's model predicts to be fastest.

Flows in: a motif, the target's knobs and model. Flows out: the best of all candidates.
"""

from __future__ import annotations

from itertools import chain

from bellrock.params.choice import Choice
from bellrock.params.knobs import Knobs
from bellrock.params.select import SelectionContext
from bellrock.payload.motif import Motif


class CostModelSelector:
    """Predicts every candidate; the first of equals wins, so the choice is reproducible."""

    name = "cost-model"

    def choose(self, motif: Motif, context: SelectionContext) -> Choice | None:
        """Return the candidate of the least predicted time, or None without a model."""
        model = context.target.cost_model()
        if model is None:
            return None
        facts = context.target.facts()
        best: Knobs | None = None
        best_seconds = float("inf")
        classes = context.target.knobs(motif)
        for candidate in chain.from_iterable(c.candidates(motif, facts) for c in classes):
            seconds = model.predict(motif, candidate, facts).seconds
            if seconds < best_seconds:
                best, best_seconds = candidate, seconds
        if best is None:
            return None
        return Choice(knobs=best, by=self.name, predicted_seconds=best_seconds)


SELECTOR = CostModelSelector()
