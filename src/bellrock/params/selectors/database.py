"""The selector `database`: the fastest choice that was measured on this device.

Flows in: a motif and the database of the run. Flows out: its best row's choice.
"""

from __future__ import annotations

from bellrock.params.choice import Choice
from bellrock.params.select import SelectionContext, knobs_of_row
from bellrock.payload.motif import Motif


class DatabaseSelector:
    """Looks up; rows of other devices do not count."""

    name = "database"

    def choose(self, motif: Motif, context: SelectionContext) -> Choice | None:
        """Return the fastest measured choice, or None where nothing was measured."""
        if context.database is None:
            return None
        row = context.database.lookup(motif, device=context.target.facts().device)
        if row is None:
            return None
        return Choice(
            knobs=knobs_of_row(row, motif, context.target),
            by=self.name,
            measured_seconds=row.measured_seconds,
        )


SELECTOR = DatabaseSelector()
