"""The selector `lock`: what a lock file says.

Flows in: a motif and the lock of the run. Flows out: the row's choice, with the row's own `by`.
"""

from __future__ import annotations

from bellrock.params.choice import Choice
from bellrock.params.select import SelectionContext, knobs_of_row
from bellrock.payload.motif import Motif


class LockSelector:
    """Takes the row whose signature is the motif's; an illegal row is an error."""

    name = "lock"

    def choose(self, motif: Motif, context: SelectionContext) -> Choice | None:
        """Return the locked choice, or None where there is no lock or no row."""
        row = context.lock.lookup(motif) if context.lock is not None else None
        if row is None:
            return None
        return Choice(
            knobs=knobs_of_row(row, motif, context.target),
            by=row.by,
            predicted_seconds=row.predicted_seconds,
            measured_seconds=row.measured_seconds,
        )


SELECTOR = LockSelector()
