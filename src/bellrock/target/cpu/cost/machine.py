"""The processor as the cost model sees it: a clock, vectors, and bytes a cycle at each level.

Flows in: `Facts`. Flows out: `Machine`. Where facts have measured rates, these are taken; else
those of a present-day core by the width of its vectors. Selection works on facts without
rates: what is chosen must not depend on how a measurement went.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.target.base import Facts

CLOCK_HZ = 3.8e9
"""Assumed where no peak was measured."""
FMAS_PER_CYCLE = 2
"""Vector multiply-adds that a core starts in a cycle; as many vectors are loaded."""
VECTORS_PER_CYCLE = {"L1d": 2.0, "L2": 0.9, "L3": 0.4}
"""Assumed traffic of one core."""
CORE_DRAM_BYTES = 9.0
"""Assumed, a cycle, for one core."""
DRAM_BYTES = 16.0
"""Assumed, a cycle, for all cores together."""
CACHE_BYTES = {"L1d": 32 << 10, "L2": 512 << 10, "L3": 8 << 20}
"""Assumed where the system does not tell."""
FORK_SECONDS = 3e-6
"""Waking the other cores and waiting for the last (docs/design/0004)."""
CALL_SECONDS = 3e-7
"""A kernel's call from the host function."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """One core, and what it shares with the others."""

    cores: int
    lanes: int
    """Elements of f32 of a vector."""
    registers: int
    clock_hz: float
    """Cycles in which `FMAS_PER_CYCLE` vectors are multiplied and added."""
    cache_bytes: dict[str, int]
    core_bytes: dict[str, float]
    """Bytes that one core alone moves in a cycle, by level."""
    dram_bytes: float
    """Bytes that all cores together move in a cycle."""

    @classmethod
    def of(cls, facts: Facts) -> Machine:
        """Return the machine that facts describe."""
        lanes = max(1, facts.vector_bits // 32)
        peak = facts.core_peak_flops_per_s.get("f32")
        clock = peak / (2 * FMAS_PER_CYCLE * lanes) if peak else CLOCK_HZ
        vector = facts.vector_bits / 8
        assumed = {level: count * vector for level, count in VECTORS_PER_CYCLE.items()}
        assumed["DRAM"] = CORE_DRAM_BYTES
        measured = {n: rate / clock for n, rate in facts.core_bandwidth_bytes_per_s.items()}
        every = facts.bandwidth_bytes_per_s.get("DRAM")
        return cls(
            cores=facts.cores,
            lanes=lanes,
            registers=facts.vector_registers,
            clock_hz=clock,
            cache_bytes={**CACHE_BYTES, **facts.cache_bytes},
            core_bytes=assumed | measured,
            dram_bytes=every / clock if every else DRAM_BYTES,
        )

    def level(self, size_bytes: float) -> str:
        """Return the innermost level that holds so much."""
        for name in ("L1d", "L2", "L3"):
            if size_bytes <= self.cache_bytes[name]:
                return name
        return "DRAM"

    def kept(self, size_bytes: float) -> str:
        """Return the innermost level that keeps so much beside what streams through it."""
        return self.level(2 * size_bytes)

    def cycles(self, moved_bytes: float, level: str, *, busy: int = 1) -> float:
        """Return how long one core moves bytes, while `busy` cores do the same."""
        rate = self.core_bytes[level]
        if level == "DRAM":
            rate = min(rate, self.dram_bytes / busy)
        return moved_bytes / rate

    def busy(self, blocks: int) -> int:
        """Return how many cores have work, of so many blocks."""
        return max(1, min(self.cores, blocks))

    def rounds(self, blocks: int) -> float:
        """Return how long the core with the most blocks works, in blocks."""
        return float(-(-blocks // self.busy(blocks)))
