"""What can be counted in device code, for people: `Emitted.figures`.

Flows in: device modules, with native code where there is some. Flows out: numbers by name.
`launches` are made each time the function is called. `matrix_calls`, `shuffles`, `barriers`
and the like are calls in SPIR-V, which tell the way a kernel took where there is no
`ocloc`; `dpas`, `block_loads`, ... are native instructions. What is in a loop counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bellrock.target.base import Facts
from bellrock.target.xegpu.calls import builtin_calls, instructions
from bellrock.target.xegpu.container import DeviceModule
from bellrock.target.xegpu.ocloc import NativeCode, NativeKernel

_CALLS = {
    "matrix_calls": ("matrix_mad",),
    "block_load_calls": ("2d_block_read",),
    "block_prefetch_calls": ("2d_block_prefetch",),
    "block_store_calls": ("2d_block_write",),
}
"""By what is in the name of a built-in function."""
_INSTRUCTIONS = {"shuffles": (345, 346, 347, 348), "barriers": (224,)}
"""By the numbers of SPIR-V instructions: `OpGroupNonUniformShuffle...`, `OpControlBarrier`."""
_COUNTS = ("dpas", "block_loads", "block_prefetches", "block_stores", "instructions")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleCode:
    """A device module and its native code."""

    module: DeviceModule
    native: NativeCode | None = None


def figures_of(modules: Sequence[ModuleCode], facts: Facts) -> dict[str, int]:
    """Count what is in the code of one function.

    Args:
        modules: of the function; counts are their sum, other numbers the worst of all kernels.
        facts: of the device.
    """
    if not modules:
        return {}
    found = {"launches": sum(len(each.module.kernels) for each in modules)}
    found |= dict.fromkeys((*_CALLS, *_INSTRUCTIONS), 0)
    for each in modules:
        for name, calls in builtin_calls(each.module.spirv).items():
            for figure, parts in _CALLS.items():
                found[figure] += calls if any(part in name for part in parts) else 0
        counted = instructions(each.module.spirv)
        for figure, numbers in _INSTRUCTIONS.items():
            found[figure] += sum(counted[number] for number in numbers)
    found = {name: count for name, count in found.items() if count}
    local = max((k.slm_bytes for each in modules for k in each.module.kernels), default=0)
    if local:
        found["slm_bytes"] = local
    return found | _native_figures(modules, facts)


def _native_figures(modules: Sequence[ModuleCode], facts: Facts) -> dict[str, int]:
    groups = {k.name: k.group or (1, 1, 1) for each in modules for k in each.module.kernels}
    natives = [each.native for each in modules if each.native is not None]
    kernels = [k for native in natives for k in native.kernels if k.name in groups]
    if not kernels:
        return {}
    found = {name: _sum(kernels, name) for name in _COUNTS}
    return {name: count for name, count in found.items() if count is not None} | {
        "registers": max(k.registers for k in kernels),
        "spill_bytes": max(k.spill_bytes for k in kernels),
        "private_bytes": max(k.private_bytes for k in kernels),
        "occupancy_percent": min(k.occupancy_percent(groups[k.name], facts) for k in kernels),
        "code_bytes": sum(len(native.binary) for native in natives),
    }


def _sum(kernels: Sequence[NativeKernel], name: str) -> int | None:
    counts = [getattr(kernel, name) for kernel in kernels]
    return None if None in counts else sum(counts)
