"""The selector `cost-model`: what the target's model predicts to be fastest.

Flows in: a motif, the target's proposals and model. Flows out: the pick of their ranking.
"""

from __future__ import annotations

from bellrock.params.choice import Choice
from bellrock.params.ranking import rank
from bellrock.params.select import SelectionContext
from bellrock.payload.motif import Motif


class CostModelSelector:
    """Predicts every proposal; `bellrock.params.ranking` says how ties are decided."""

    name = "cost-model"

    def choose(self, motif: Motif, context: SelectionContext) -> Choice | None:
        """Return the pick; None without a model of the motif, or with nothing to choose from."""
        ranking = rank(motif, context.target)
        if ranking is None or ranking.considered == 1:
            return None
        pick = ranking.pick
        return Choice(knobs=pick.knobs, by=self.name, predicted_seconds=pick.prediction.seconds)


SELECTOR = CostModelSelector()
