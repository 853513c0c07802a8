"""How fast this processor can be: measured, because it cannot be read anywhere.

Flows in: `Facts` without rates. Flows out: peak operations and bandwidths of all cores
together and of one alone, the best of many short windows, so that what else runs takes little
off. Kept in the user's cache by device, so that one run in all measures.

Units of compute are kept busy by chains of multiply-adds on registers; memory is read, and
written to as in `c = a + b`, by vector loops over buffers of half a level's size.
"""

from __future__ import annotations

import ctypes
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from bellrock.payload.payload import fingerprint_of
from bellrock.target.base import Facts, PeakProgram
from bellrock.target.cpu.rate_kernels import flops_per_round, kernels_for
from bellrock.target.native.matrix_engine import request_engine, with_stand_in

VERSION = 3
"""Of the method; another one measures again."""
WINDOWS = 24
WINDOW_SECONDS = 0.004
MEMORY_BYTES = 256 << 20
"""Of the buffers for main memory, if the caches are not larger."""

Kernel = Callable[[int, int, int, int, int], None]
"""Rounds, elements of each array, and three addresses."""
Work = Callable[[int, int], None]
"""Rounds of a kernel on one core: core, rounds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """What was measured."""

    peak_flops_per_s: Mapping[str, float]
    bandwidth_bytes_per_s: Mapping[str, float]
    core_peak_flops_per_s: Mapping[str, float]
    core_bandwidth_bytes_per_s: Mapping[str, float]


def with_rates(facts: Facts, *, folder: Path) -> Facts:
    """Return the facts with rates, from the cache if they were measured before.

    Args:
        facts: of this processor.
        folder: of the cache.
    """
    about = (facts.device, str(facts.cores), str(facts.vector_bits), str(VERSION))
    path = folder / f"rates-{fingerprint_of(*about)[:16]}.json"
    rates = _read(path)
    if rates is None:
        rates = measure(facts)
        _write(path, rates)
    return replace(
        facts,
        peak_flops_per_s=rates.peak_flops_per_s,
        bandwidth_bytes_per_s=rates.bandwidth_bytes_per_s,
        core_peak_flops_per_s=rates.core_peak_flops_per_s,
        core_bandwidth_bytes_per_s=rates.core_bandwidth_bytes_per_s,
        source=f"{facts.source}; rates measured on this machine",
    )


def measure(facts: Facts) -> Rates:
    """Measure; takes a second and a half for one core, and as much again for all."""
    one = _peaks(facts, 1), _bandwidths(facts, 1)
    several = facts.cores > 1
    every = (_peaks(facts, facts.cores), _bandwidths(facts, facts.cores)) if several else one
    return Rates(
        peak_flops_per_s=every[0],
        bandwidth_bytes_per_s=every[1],
        core_peak_flops_per_s=one[0],
        core_bandwidth_bytes_per_s=one[1],
    )


def _peaks(facts: Facts, cores: int) -> dict[str, float]:
    kernels = _compiled(facts.vector_bits, facts.features)
    peaks = {
        dtype: _peak(kernels[dtype], _flops(facts, dtype), cores)
        for dtype in ("f32", "f64", "bf16")
        if dtype in kernels
    }
    # Narrow types without arithmetic of their own are computed in f32.
    return {"bf16": peaks["f32"], "f16": peaks["f32"], **peaks}


def _flops(facts: Facts, dtype: str) -> int:
    return flops_per_round(dtype, facts.vector_bits, facts.features)


def _bandwidths(facts: Facts, cores: int) -> dict[str, float]:
    kernels = _compiled(facts.vector_bits, facts.features)
    sizes = {"DRAM": max(MEMORY_BYTES, 4 * facts.cache_bytes.get("L3", 0))}
    sizes |= {
        level: facts.cache_bytes[level] * (1 if level == "L3" else cores) // 2
        for level in ("L1d", "L2", "L3")
        if level in facts.cache_bytes
    }
    return {
        level: max(_bandwidth(kernels[kind], size, kind, cores) for kind in ("read", "add"))
        for level, size in sizes.items()
    }


def _peak(kernel: Kernel, flops: int, cores: int) -> float:
    return _best_rate(_chains_of(kernel, cores), cores) * flops


def _chains_of(kernel: Kernel, cores: int) -> Work:
    """Return the work of a peak's kernel: each core with a sink of its own."""
    sinks = [ctypes.create_string_buffer(4096) for _ in range(cores)]

    def work(core: int, rounds: int) -> None:
        # The address is taken here, so that the buffer lives as long as the work.
        address = ctypes.addressof(sinks[core])
        kernel(rounds, 0, address + (-address) % 64, 0, 0)

    return work


def peak_program(facts: Facts, dtype: str) -> PeakProgram | None:
    """Return a window of a dtype's peak on all cores; None for dtypes that have no peak.

    Its time is the longest of the cores' processor times, as in `measure`.
    """
    if dtype not in {"f64", "f32", "f16", "bf16"}:
        return None
    kernels = _compiled(facts.vector_bits, facts.features)
    computed = dtype if dtype in kernels else "f32"
    work = _chains_of(kernels[computed], facts.cores)
    rounds, last = _calibrated(work), [0.0]

    def run() -> None:
        last[0] = max(_window(work, facts.cores, rounds))

    flops = _flops(facts, computed) * rounds * facts.cores
    return PeakProgram(run=run, seconds=lambda: last[0], flops=flops)


def _bandwidth(kernel: Kernel, total_bytes: int, kind: str, cores: int) -> float:
    """Return bytes per second of all cores, each on its own part of the buffers."""
    arrays = 1 if kind == "read" else 3
    part = total_bytes // (arrays * cores) // 4096 * 4096
    memory = ctypes.create_string_buffer(part * arrays * cores + 4096)
    ctypes.memset(memory, 0, len(memory))
    base = ctypes.addressof(memory) + (-ctypes.addressof(memory)) % 64
    starts = [[base + (core * arrays + i) * part for i in range(arrays)] for core in range(cores)]

    def work(core: int, rounds: int) -> None:
        a, b, c = (starts[core] * 3)[:3]
        kernel(rounds, part // 4, a, b, c)

    return _best_rate(work, cores) * part * arrays


def _best_rate(work: Work, cores: int) -> float:
    """Return rounds per second of all cores together, at the best of each.

    Args:
        work: core and rounds; lets go of the interpreter's lock while it works.
        cores: that work at the same time.
    """
    rounds = _calibrated(work)
    windows = [_window(work, cores, rounds) for _ in range(WINDOWS)]
    return sum(rounds / min(seconds) for seconds in zip(*windows, strict=True))


def _window(work: Work, cores: int, rounds: int) -> list[float]:
    """Return how long each core took for its rounds, all at the same time.

    Processor time is taken, not wall-clock time, so that a thread which has to wait for its
    processor is not thought slow.
    """
    seconds = [0.0] * cores
    barrier = threading.Barrier(cores)

    def run(core: int) -> None:
        barrier.wait()
        seconds[core] = _timed(work, core, rounds)

    threads = [threading.Thread(target=run, args=(core,)) for core in range(cores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def _calibrated(work: Work) -> int:
    """Return how many rounds take about one window."""
    rounds = 1
    while True:
        seconds = _timed(work, 0, rounds)
        if seconds > WINDOW_SECONDS / 2:
            return rounds
        rounds = max(2 * rounds, int(rounds * WINDOW_SECONDS / max(seconds, 1e-7)))


def _timed(work: Work, core: int, rounds: int) -> float:
    begin = time.thread_time()
    work(core, rounds)
    return time.thread_time() - begin


@cache
def _compiled(vector_bits: int, features: frozenset[str]) -> dict[str, Kernel]:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    request_engine()
    found = kernels_for(vector_bits, features)
    module = llvm.parse_assembly(with_stand_in("\n".join(found.values())))
    code = machine.emit_object(module)
    jit = llvm.create_lljit_compiler()
    builder = llvm.JITLibraryBuilder().add_object_img(code)
    for name in found:
        builder = builder.export_symbol(f"rate_{name}")
    library = builder.link(jit, "bellrock-rates")
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 3)
    return {name: _Held(kind(library[f"rate_{name}"]), (jit, library)) for name in found}


class _Held:
    """A function that keeps its code alive."""

    def __init__(self, function: Any, code: Any) -> None:
        self._function, self._code = function, code

    def __call__(self, rounds: int, elements: int, a: int, b: int, c: int) -> None:
        self._function(rounds, elements, a, b, c)


def _read(path: Path) -> Rates | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Rates(**{field.name: data[field.name] for field in fields(Rates)})
    except (OSError, ValueError, KeyError):
        return None  # not measured yet, or cut off by an earlier end: measured again


def _write(path: Path, rates: Rates) -> None:
    data = {field.name: dict(getattr(rates, field.name)) for field in fields(Rates)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".partial")
        draft.write_text(json.dumps(data), encoding="utf-8")
        draft.replace(path)
    except OSError:
        return  # it is measured again next time; nothing else depends on it
