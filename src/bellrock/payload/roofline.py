"""The roofline bound: the least time that a device needs, by its peak rates alone.

Flows in: flops by dtype, bytes that must move, a device's facts. Flows out: `Roofline`.
Source: Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bellrock.target.base import Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Roofline:
    """A lower bound of the time of one call."""

    compute_seconds: float
    memory_seconds: float

    @property
    def seconds(self) -> float:
        """The bound: the longer of the two."""
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def bound(self) -> Literal["compute", "memory"]:
        """What takes the longer."""
        return "compute" if self.compute_seconds > self.memory_seconds else "memory"


def roofline(
    flops_by_dtype: Mapping[str, int], compulsory_bytes: int, facts: Facts
) -> Roofline | None:
    """Return the bound of one call, or None where the device's rates are not known.

    A dtype without a peak of its own is taken at the device's highest, and memory at its
    main memory's bandwidth, so that the bound stays one.

    Args:
        flops_by_dtype: by element type of the operands.
        compulsory_bytes: arguments and results, each moved once.
        facts: of the device.
    """
    bandwidth = facts.bandwidth_bytes_per_s.get("DRAM")
    if not bandwidth or not facts.peak_flops_per_s:
        return None
    highest = max(facts.peak_flops_per_s.values())
    compute = sum(
        flops / facts.peak_flops_per_s.get(dtype, highest)
        for dtype, flops in flops_by_dtype.items()
    )
    return Roofline(compute_seconds=compute, memory_seconds=compulsory_bytes / bandwidth)
