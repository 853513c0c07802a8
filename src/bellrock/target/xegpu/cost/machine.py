"""A GPU as the cost model sees it: Xe-cores, engines in them, and bytes a clock at each level.

Flows in: `Facts` of an Intel GPU. Flows out: `Machine`. Rates come from facts; what no published
source gives (latencies, what a message or a launch costs) is assumed here, by name, and the same
for all devices. None of it was measured on a device yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.target.base import Facts
from bellrock.target.xegpu.product import BlockLimits

LAUNCH_SECONDS = 5e-6
"""Of one kernel, from its append to a list until it runs; assumed."""
LATENCY_CLOCKS = {"L1": 100.0, "L2": 350.0, "DRAM": 1000.0}
"""From a load to its data, while others load too; assumed."""
DPAS_LATENCY_CLOCKS = 32.0
"""From a matrix instruction to one that adds to its result; assumed."""
MESSAGE_CLOCKS = 2.0
"""Of the load unit of one Xe-core, for one message of one sub-group; assumed."""
LINE_BYTES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """One GPU; rates are per clock."""

    cores: int
    engines: int
    """In one Xe-core; each runs vector and matrix instructions of its threads."""
    clock_hz: float
    matrix_flops: float
    """Of one engine, in f16."""
    vector_flops: float
    """Of one engine, in f32."""
    threads: dict[int, int]
    """Of one engine, by the registers of a thread."""
    register_bytes: int
    sub_group: int
    l1_bytes: int
    l2_bytes: int
    l1_rate: float
    """Bytes of one Xe-core."""
    l2_rate: float
    """Bytes of all Xe-cores together."""
    dram_rate: float
    """Bytes of all Xe-cores together."""
    blocks: BlockLimits

    @classmethod
    def of(cls, facts: Facts) -> Machine:
        """Return the machine that facts describe."""
        clock, limits = facts.clock_hz, facts.limits
        engines = limits["matrix_engines"]
        bandwidth = facts.bandwidth_bytes_per_s
        return cls(
            cores=facts.cores,
            engines=engines,
            clock_hz=clock,
            matrix_flops=limits["f16_matrix_rate"] / engines,
            vector_flops=facts.peak_flops_per_s["f32"] / (clock * facts.cores * engines),
            threads={128: limits["threads"], 256: limits["threads_large_grf"]},
            register_bytes=limits["register_bytes"],
            sub_group=limits["sub_group_size"],
            l1_bytes=facts.cache_bytes["L1"],
            l2_bytes=facts.cache_bytes["L2"],
            l1_rate=bandwidth["L1"] / (clock * facts.cores),
            l2_rate=bandwidth["L2"] / clock,
            dram_rate=bandwidth["DRAM"] / clock,
            blocks=BlockLimits.of(facts),
        )

    def core_threads(self, registers: int) -> int:
        """Return the threads of one Xe-core, by the registers of each."""
        return self.engines * self.threads[registers]
