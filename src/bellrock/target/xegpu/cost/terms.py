"""From clocks by name to a `Prediction` in seconds.

Flows in: what the busiest Xe-core does, in clocks, by name. Flows out: seconds, as a sum of terms:
what runs beside a longer part counts only as far as it is not hidden by it.
"""

from __future__ import annotations

from collections.abc import Mapping

from bellrock.params.cost import Prediction
from bellrock.target.xegpu.cost.machine import LAUNCH_SECONDS, Machine

HIDDEN = 0.9
"""Of the shorter of two parts that overlap; the rest is ramps and conflicts. Assumed."""


def ceil_div(a: int, b: int) -> int:
    """Return a divided by b, rounded up."""
    return -(-a // b)


def rounds(per_core: int, resident: int) -> list[tuple[int, int]]:
    """Return how often an Xe-core runs how many work-groups together.

    Args:
        per_core: work-groups that it runs in all.
        resident: work-groups that it has room for.
    """
    full, rest = divmod(per_core, resident)
    return [(full, resident), *([(1, rest)] if rest else [])]


def overlapped(spent: float, clocks: Mapping[str, float]) -> dict[str, float]:
    """Return what parts that run beside each other add to a time.

    Args:
        spent: clocks of the part that the others run beside.
        clocks: of the others, by name, each added to what was before it.
    """
    added: dict[str, float] = {}
    for name, one in clocks.items():
        shown = max(0.0, one - spent) + (1 - HIDDEN) * min(one, spent)
        added[name] = shown
        spent = max(spent, one)
    return added


def predicted(machine: Machine, clocks: Mapping[str, float], *, launches: int) -> Prediction:
    """Return the time of a kernel.

    Args:
        machine: that it runs on.
        clocks: by name; they add up.
        launches: kernels that are started.
    """
    terms = {name: c / machine.clock_hz for name, c in clocks.items() if c > 0}
    terms["launch"] = launches * LAUNCH_SECONDS
    return Prediction(seconds=sum(terms.values()), terms_seconds=terms)
