"""What is known of one device.

Flows in: what a target looked up or measured. Flows out: `Facts`, which choices, cost models,
pipelines and records read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of one device; every unit is in the field's name."""

    device: str
    """Name for people, e.g. the processor's model name."""
    cores: int
    """Units that run work of their own side by side: a processor's cores that this process may
    use; of a GPU what shares one L1 cache (Xe-cores, multiprocessors)."""
    vector_bits: int
    """Width of one vector register."""
    vector_registers: int
    """Vector registers of one thread; where that can be set, the most."""
    cache_bytes: Mapping[str, int]
    """By level, as far as known; `core_caches` says which of them each core has."""
    features: frozenset[str]
    """What code may use, e.g. instruction sets by their LLVM names: `avx512f`, `avx512bf16`."""
    core_caches: frozenset[str] = frozenset({"L1d", "L2"})
    """Levels of `cache_bytes` that each core has for itself; all share the others."""
    cache_ways: Mapping[str, int] = field(default_factory=dict)
    """By level, as far as known: lines that a cache can hold of those whose addresses differ by
    multiples of its size over this number."""
    clock_hz: float = 0.0
    """0 where it is not known or not fixed."""
    chip: str = ""
    """What passes of a pipeline call the device, as `${target.chip}`; empty where none asks."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Whole numbers that only this kind of device has, e.g. `sub_group_size`, `slm_bytes`;
    constraints of knobs read them by name. The target's files say what they mean."""
    peak_flops_per_s: Mapping[str, float] = field(default_factory=dict)
    """Per dtype, all cores; measured or computed, see `source`."""
    bandwidth_bytes_per_s: Mapping[str, float] = field(default_factory=dict)
    """Per memory level (`DRAM`, `L3`, ...), all cores."""
    core_peak_flops_per_s: Mapping[str, float] = field(default_factory=dict)
    """Per dtype, one core while the others rest (its clock may then be higher)."""
    core_bandwidth_bytes_per_s: Mapping[str, float] = field(default_factory=dict)
    """Per memory level, one core while the others rest."""
    source: str = ""
    """Where the numbers come from."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each number comes from that was looked up, by the name of the field (or of its key)."""

    def key(self) -> str:
        """Return a text that is equal where everything that choices depend on is."""
        about = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in ((f.name, getattr(self, f.name)) for f in fields(self))
            if name not in {"source", "sources"}
        }
        return repr(
            {n: sorted(v.items()) if isinstance(v, Mapping) else v for n, v in about.items()}
        )
