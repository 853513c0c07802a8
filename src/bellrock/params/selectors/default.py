"""The selector `default`: the target's own, which is legal for any shape.

Flows in: a motif. Flows out: the target's default choice.
"""

from __future__ import annotations

from bellrock.params.choice import Choice
from bellrock.params.select import SelectionContext
from bellrock.payload.motif import Motif


class DefaultSelector:
    """Asks the target."""

    name = "default"

    def choose(self, motif: Motif, context: SelectionContext) -> Choice | None:
        """Return the target's default; None only where it has nothing to choose."""
        knobs = context.target.default_choice(motif)
        return None if knobs is None else Choice(knobs=knobs, by=self.name)


SELECTOR = DefaultSelector()
