"""Facts of the processor in this machine, read from the operating system and from LLVM.

Flows in: nothing. Flows out: `Facts`. Peaks are computed here (clock times width times
units); measured ones are another matter and say so in `source`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bellrock.target.base import Facts
from bellrock.target.native.matrix_engine import engine_features

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}


@cache
def host_facts() -> Facts:
    """Return the facts of this machine's processor."""
    import llvmlite.binding as llvm

    features = frozenset(n for n, on in llvm.get_host_cpu_features().items() if on)
    features = engine_features(features)
    if "avx512f" in features:
        vector_bits, registers = 512, 32
    elif "avx" in features:
        vector_bits, registers = 256, 16
    else:
        vector_bits, registers = 128, 32 if "neon" in features else 16
    return Facts(
        device=_model_name(),
        cores=usable_cores(),
        vector_bits=vector_bits,
        vector_registers=registers,
        cache_bytes=_cache_bytes(),
        cache_ways=_cache_ways(),
        features=features,
        source="operating system (/proc, /sys) and LLVM's host detection",
    )


def architecture_features() -> frozenset[str]:
    """Return the features that LLVM knows of this architecture, whether it is here or not."""
    import llvmlite.binding as llvm

    return frozenset(llvm.get_host_cpu_features())


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _model_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return os.uname().machine


def _cache_bytes() -> dict[str, int]:
    """Read cache sizes as far as the system tells them."""
    found: dict[str, int] = {}
    for name, index in _data_caches():
        size = (index / "size").read_text().strip()
        found[name] = int(size[:-1]) * _UNITS[size[-1]] if size[-1] in _UNITS else int(size)
    return found


def _cache_ways() -> dict[str, int]:
    """Read the caches' associativity as far as the system tells it (0 there: not known)."""
    found: dict[str, int] = {}
    for name, index in _data_caches():
        told = index / "ways_of_associativity"
        if told.exists() and (ways := int(told.read_text())):
            found[name] = ways
    return found


def _data_caches() -> Iterator[tuple[str, Path]]:
    """Yield the name and the folder of each cache that holds data."""
    for index in sorted(_CACHES.glob("index*")):
        kind = (index / "type").read_text().strip()
        if kind != "Instruction":
            level = (index / "level").read_text().strip()
            yield f"L{level}d" if kind == "Data" else f"L{level}", index
