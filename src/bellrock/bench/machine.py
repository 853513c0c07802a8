"""Fingerprint of the machine a measurement was made on.

Flows in: what the operating system tells. Flows out: the record's `MachineInfo`.
"""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import psutil

from bellrock.bench.record import MachineInfo


def machine_info() -> MachineInfo:
    """Describe this machine, as it is now."""
    return MachineInfo(
        cpu=_cpu_name(),
        cores=psutil.cpu_count(logical=False) or 1,
        logical_cpus=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        governor=_read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        load_average=_load(),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        host_hash=hashlib.sha256(platform.node().encode()).hexdigest()[:12],
    )


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _cpu_name() -> str:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
