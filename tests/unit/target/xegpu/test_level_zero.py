"""The host code of Level Zero: what it asks of a driver, and what it never lets through.

There is no GPU where this runs: a driver is played by `_Driver`, which keeps memory on the host
and notes each call. Where the loader library is installed, its part is tested for real.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bellrock.errors import DeviceError, UnknownNameError
from bellrock.target.xegpu.loaders.base import Copy, DeviceLostError, Launch
from bellrock.target.xegpu.loaders.choosing import SharedDevice, loader_name
from bellrock.target.xegpu.loaders.level_zero import api as ze
from bellrock.target.xegpu.loaders.level_zero.device import EVENTS, LevelZeroDevice
from bellrock.target.xegpu.loading import XegpuLoaded

LOADER = any(
    os.path.exists(f"{folder}/libze_loader.so.1")  # noqa: PTH110 (a list of plain places)
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
)
needs_loader = pytest.mark.skipif(not LOADER, reason="the package libze1 is not installed")


class _Driver(ze.Api):
    """Plays a driver with one GPU. A launch takes 100 ticks and does nothing."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails: dict[str, int] = {}
        self.memory: dict[int, Any] = {}
        self.flags: list[bytes | None] = []
        self._handles = 1 << 20

    def handles(self, name: str, *arguments: Any) -> list[ze.Handle]:
        self.calls.append(name)
        return [ze.Handle(7)]

    def call(self, name: str, *arguments: Any) -> None:
        self.calls.append(name)
        status = self.fails.get(name, 0)
        if status in ze.LOST:
            raise DeviceLostError(name)
        if status:
            raise DeviceError(name)
        rule = getattr(self, name, None)
        if rule is not None:
            rule(*arguments)
        elif "Create" in name:
            self._handles += 1
            target = arguments[3] if name == "zeModuleCreate" else arguments[-1]
            if name == "zeModuleCreate":
                self.flags.append(arguments[2]._obj.flags)
            target._obj.value = self._handles

    def zeDeviceGetProperties(self, device: Any, about: Any) -> None:  # noqa: N802
        about._obj.type, about._obj.name = 1, b"Played GPU"
        about._obj.timer_resolution, about._obj.kernel_timestamp_bits = 50, 32

    def zeDeviceGetComputeProperties(self, device: Any, about: Any) -> None:  # noqa: N802
        about._obj.max_group, about._obj.slm_bytes = 1024, 1 << 17

    def zeMemAllocDevice(self, *arguments: Any) -> None:  # noqa: N802
        memory = (ctypes.c_char * (arguments[2] + 64))()  # as drivers do, not side by side
        arguments[5]._obj.value = ctypes.addressof(memory)
        self.memory[ctypes.addressof(memory)] = memory

    def zeMemFree(self, context: Any, address: int) -> None:  # noqa: N802
        del self.memory[address]

    def zeCommandListAppendMemoryCopy(self, *arguments: Any) -> None:  # noqa: N802
        ctypes.memmove(*arguments[1:4])

    def zeEventQueryKernelTimestamp(self, event: Any, found: Any) -> None:  # noqa: N802
        found._obj.start, found._obj.end = (1 << 32) - 40, 60  # the clock runs over in between


@pytest.fixture
def driver() -> _Driver:
    return _Driver()


@pytest.fixture
def gpu(driver: _Driver, samples: SimpleNamespace) -> Iterator[SharedDevice]:
    shared = samples.shared(LevelZeroDevice(driver))
    yield shared
    with shared.session():
        shared.memory.release()
    if not shared.device.allocations and not shared.device.modules:
        shared.close()


def test_a_program_goes_through_and_leaves_nothing(
    gpu: SharedDevice, driver: _Driver, samples: SimpleNamespace
) -> None:
    n = 1000
    program = XegpuLoaded(samples.scaling_program(n), gpu)
    x, w, value, y, z, work = (np.ones(n, np.float32) for _ in range(6))
    program.prepare([a.ctypes.data for a in (w, value, work)])
    program.call([a.ctypes.data for a in (x, w, value, y, z, work)])
    assert isinstance(gpu.device, LevelZeroDevice)
    assert driver.calls.count("zeCommandListAppendLaunchKernel") == 1 + 3
    assert gpu.device.seconds == pytest.approx(3 * 100 * 50e-9)
    assert program.device_seconds() == gpu.device.seconds
    assert program.timing_note == ""
    program.flush_caches(1 << 20)
    assert driver.calls.count("zeCommandListAppendLaunchKernel") == 1 + 3
    gpu.memory.release()
    with pytest.raises(DeviceError, match="closed that is still in use"):
        gpu.device.close()
    program.close()
    gpu.close()
    for kind in ("Module", "Kernel", "Event", "EventPool", "CommandList", "Context"):
        made = [c for c in driver.calls if c.startswith(f"ze{kind}Create")]
        gone = [c for c in driver.calls if c == f"ze{kind}Destroy"]
        assert len(made) == len(gone) > 0
    assert not driver.memory


def test_more_commands_than_events(
    gpu: SharedDevice, driver: _Driver, samples: SimpleNamespace
) -> None:
    device = gpu.device
    program = device.load([])
    place = device.allocate(4096)
    program.run([Copy(place + 64 * i % 2048, place + 2048, 64) for i in range(2 * EVENTS + 1)])
    assert driver.calls.count("zeEventHostSynchronize") == 3
    assert driver.calls.count("zeEventHostReset") == 2 * EVENTS + 1
    program.close()
    device.free(place)


def _launch(*pointers: int, **change: Any) -> Launch:
    values = [p.to_bytes(8, "little") for p in pointers]
    given = {"kernel": "scale", "grid": (1, 1, 1), "group": (16, 1, 1)}
    given |= {"arguments": (*values, (16).to_bytes(8, "little"), b"\0\0\0\0")}
    return Launch(**(given | change))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("freed", "argument 0 of kernel 'scale' is not in memory of the device"),
        ("foreign", "argument 0 of kernel 'scale' is not in memory of the device"),
        ("null", "argument 0 of kernel 'scale' is not in memory of the device"),
        ("count", "another number of arguments"),
        ("group", "too large for the device"),
        ("kernel", "names no kernel"),
        ("copy over the end", "a copy's source is not in memory"),
        ("copy onto itself", "overlaps itself"),
        ("unloaded", "run that has been unloaded"),
    ],
)
def test_faults_do_not_reach_the_driver(
    gpu: SharedDevice, driver: _Driver, samples: SimpleNamespace, fault: str, message: str
) -> None:
    device = gpu.device
    program = device.load([samples.module(samples.scale, samples.scale_entry)])
    here, gone = device.allocate(64), device.allocate(64)
    device.free(gone)
    command = {
        "freed": _launch(gone, here),
        "foreign": _launch(ctypes.addressof(ctypes.c_int()), here),
        "null": _launch(0, here),
        "count": _launch(here),
        "group": _launch(here, here, group=(2048, 1, 1)),
        "kernel": _launch(here, here, kernel="other"),
        "copy over the end": Copy(here, here + 32, 33),
        "copy onto itself": Copy(here, here + 8, 16),
        "unloaded": _launch(here, here),
    }[fault]
    if fault == "unloaded":
        program.close()
    before = len(driver.calls)
    with pytest.raises(DeviceError, match=message):
        program.run([_launch(here, here), command])
    assert len(driver.calls) == before
    if fault != "unloaded":
        program.close()
    with pytest.raises(DeviceError, match="unloaded twice"):
        program.close()
    device.free(here)


def test_memory_is_used_only_while_it_lives(gpu: SharedDevice, driver: _Driver) -> None:
    device = gpu.device
    place, host = device.allocate(64), np.zeros(64, np.uint8)
    before = len(driver.calls)
    with pytest.raises(DeviceError, match="is to be filled is not in memory"):
        device.upload(place + 32, host.ctypes.data, 64)
    with pytest.raises(DeviceError, match="an allocation needs a size"):
        device.allocate(0)
    assert len(driver.calls) == before
    device.free(place)
    with pytest.raises(DeviceError, match="is to be read is not in memory"):
        device.download(host.ctypes.data, place, 64)
    with pytest.raises(DeviceError, match="freed that is not allocated"):
        device.free(place)


def test_a_module_that_is_refused_is_not_half_there(
    gpu: SharedDevice, driver: _Driver, samples: SimpleNamespace
) -> None:
    driver.fails["zeKernelCreate"] = 0x7800_0011
    with pytest.raises(DeviceError, match="zeKernelCreate"):
        gpu.device.load([samples.module(samples.scale, samples.scale_entry)])
    assert isinstance(gpu.device, LevelZeroDevice)
    assert gpu.device.modules == 0
    driver.fails = {"zeModuleCreate": 0x7000_0004}
    with pytest.raises(DeviceError, match="cannot build a device module"):
        gpu.device.load([samples.module(samples.scale, samples.scale_entry)])


@pytest.mark.parametrize(
    ("registers", "flags"), [(0, None), (128, None), (256, b"-ze-opt-large-register-file")]
)
def test_kernels_get_the_registers_that_they_ask_for(
    registers: int, flags: bytes | None, gpu: SharedDevice, driver: _Driver,
    samples: SimpleNamespace,
) -> None:  # fmt: skip
    module = samples.module(samples.scale, samples.scale_entry)
    gpu.device.load([dataclasses.replace(module, registers=registers)]).close()
    assert driver.flags == [flags]


def test_structures_have_the_sizes_of_the_interface() -> None:
    sizes = {
        ze.DeviceProperties: 368, ze.ComputeProperties: 88, ze.ContextDescription: 24,
        ze.QueueDescription: 40, ze.EventPoolDescription: 24, ze.EventDescription: 32,
        ze.DeviceMemoryDescription: 24, ze.ModuleDescription: 56, ze.KernelDescription: 32,
        ze.GroupCount: 12, ze.KernelTimestamp: 32,
    }  # fmt: skip
    assert {kind: ctypes.sizeof(kind) for kind in sizes} == sizes


def test_no_loader_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ze, "LIBRARIES", ("libno_such_loader.so",))
    with pytest.raises(DeviceError, match="not installed; .*install the loader") as caught:
        ze.Api()
    assert "\n" not in str(caught.value)


@needs_loader
@pytest.mark.parametrize("validation", ["0", "1"])
def test_a_loader_without_a_driver_is_one_line(validation: str) -> None:
    """In a process of its own: the layer is chosen when the library is loaded."""
    code = """
from bellrock.errors import DeviceError, UnknownNameError
from bellrock.target.xegpu.loaders.level_zero.api import device_present
from bellrock.target.xegpu.loaders.level_zero.device import LevelZeroDevice
if device_present():
    print("a GPU is there")
else:
    try:
        LevelZeroDevice()
    except DeviceError as error:
        print(error)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {
        "ZE_ENABLE_VALIDATION_LAYER": validation, "ZE_ENABLE_PARAMETER_VALIDATION": validation
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    if line != "a GPU is there":
        assert "finds no driver of a GPU" in line
        assert "install the loader (Debian: libze1) and the driver" in line


@needs_loader
def test_the_loader_has_every_function() -> None:
    library = ze._load()
    assert all(hasattr(library, name) for name in ze._SIGNATURES)


def test_the_loader_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    assert loader_name() == "simt"
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "cuda")
    with pytest.raises(UnknownNameError, match="unknown loader 'cuda'; allowed: level-zero"):
        loader_name()
    monkeypatch.delenv("BELLROCK_XEGPU_LOADER")
    assert loader_name() in {"level-zero", "opencl", "simt"}
