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


class OtherLoad:
    """What other programs take of the processors, from when it is made."""

    def __init__(self) -> None:
        self._busy, self._total = _processor_seconds()

    def share(self) -> float:
        """Return the share of all processors' time since then, 0 to 1."""
        busy, total = _processor_seconds()
        elapsed = total - self._total
        return max((busy - self._busy) / elapsed, 0.0) if elapsed > 0 else 0.0


def _processor_seconds() -> tuple[float, float]:
    """Seconds that others were busy, and seconds in all, over all processors."""
    times = psutil.cpu_times()
    own = psutil.Process().cpu_times()
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    idle = times.idle + getattr(times, "iowait", 0.0)
    return total - idle - own.user - own.system, total


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
