"""Facts of Intel GPUs: of a device that is named, of the one in this machine, or of the default.

Flows in: a name, or what the system says of its graphics cards. Flows out: `Facts`, in which
`cores` are Xe-cores and `limits` hold what only these devices have (see `LIMITS`). Peaks and
bandwidths are computed from clocks and rates per clock, with a source for each.
"""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path

from bellrock.target.base import Facts
from bellrock.target.xegpu.devices import (
    Architecture,
    Device,
    all_devices,
    device_with_id,
    numbers_of,
)

DEFAULT = "b580"
"""Compiled for where no device is named and none is in the machine."""
LIMITS = (
    "vector_engines", "matrix_engines", "threads", "threads_large_grf", "sub_group_size",
    "sub_group_most", "dpas_rows", "dpas_columns", "dpas_k_bytes", "register_bytes",
    "f16_matrix_rate", "slm_bytes", "work_group_items", "block_base_alignment",
    "block_pitch_alignment", "block_width_alignment",
    "block_least_bytes", "block_rows", "block_row_bytes",
)  # fmt: skip
"""Numbers of an `Architecture` that become `Facts.limits`, for constraints and the cost model."""
MOST_REGISTERS = 256
"""Of one thread, in large-register mode."""
FEATURES = frozenset({"dpas", "block-2d", "f16", "bf16", "tf32"})
"""Of all devices of the file."""
_CARDS = Path("/sys/class/drm")
_VENDOR = 0x8086


@cache
def device_facts(name: str) -> Facts:
    """Return the facts of a device.

    Args:
        name: as in `devices.yaml`, not an alias.
    """
    file = all_devices()
    device = file.devices[name]
    core = file.architectures[device.architecture]
    clock, cores = device.clock_hz.value, device.xe_cores.value
    matrix = core.f16_matrix_rate.value * cores * clock
    vector = core.f32_rate.value * cores * clock
    return Facts(
        device=device.name,
        cores=cores,
        vector_bits=core.vector_bits.value,
        vector_registers=MOST_REGISTERS,
        cache_bytes={"L1": core.l1_bytes.value, "L2": device.l2_bytes.value},
        core_caches=frozenset({"L1"}),
        features=FEATURES | {core.chip},
        clock_hz=clock,
        chip=core.mlir_chip,
        limits={limit: getattr(core, limit).value for limit in LIMITS},
        peak_flops_per_s={"f32": vector, "f16": matrix, "bf16": matrix, "i8": 2 * matrix},
        bandwidth_bytes_per_s={
            "L1": core.l1_bytes_per_clock.value * cores * clock,
            "L2": core.l2_bytes_per_clock.value * cores * clock,
            "DRAM": device.dram_bytes_per_s.value,
        },
        source="published numbers (devices.yaml); peaks and cache bandwidths at the highest clock",
        sources=_sources(device, core),
    )


def _sources(device: Device, core: Architecture) -> dict[str, str]:
    """Return where each number is from, in words."""
    known = all_devices().sources
    found: dict[str, str] = {}
    for entry in (device, core):
        for name, stated in numbers_of(entry):
            derived = stated.formula or stated.derived
            words = [known[stated.source].strip()] if stated.source else []
            found[name] = "; ".join([*words, *([f"derived: {derived}"] if derived else [])])
    return found


def chip_of(name: str) -> str:
    """Return what `ocloc -device` calls a device's chip.

    Args:
        name: of the device, not an alias.
    """
    file = all_devices()
    return file.architectures[file.devices[name].architecture].chip


@cache
def detected_device(cards: Path = _CARDS) -> str | None:
    """Return the name of the first known device that the system has a driver for.

    Needs no driver library, so that it costs nothing where there is no such device.

    Args:
        cards: folder of the system's graphics cards.
    """
    for card in sorted(cards.glob("card*/device")):
        with contextlib.suppress(OSError, ValueError):
            vendor, device = (int((card / n).read_text(), 16) for n in ("vendor", "device"))
            found = device_with_id(device) if vendor == _VENDOR else None
            if found is not None:
                return found
    return None
