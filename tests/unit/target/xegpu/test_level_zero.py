"""The host code of Level Zero: what it asks of a driver, and what it never lets through.

There is no GPU where this runs: a driver is played by `_Driver`, which keeps memory on the host
and notes each call. Through the real loader and its validation layer the same code talks to a
driver in C (`tests/data/level_zero`), which is played, too.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
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

OWN = Path(sys.prefix, "lib")
"""Where `scripts/install_level_zero.py` puts the loader."""
LOADER = any(
    (folder / "libze_loader.so.1").exists()
    for folder in (OWN, *(Path("/usr", at) for at in ("lib/x86_64-linux-gnu", "lib64", "lib")))
)
needs_loader = pytest.mark.skipif(
    not LOADER, reason="Level Zero's loader is not here: run scripts/install_level_zero.py"
)


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


def _through_the_loader(code: str, **environment: str) -> str:
    """Run a program whose Level Zero is the loader's, with its validation layer.

    In a process of its own: layers and drivers are chosen when the library is loaded.
    """
    places = [str(OWN), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    given = {
        **os.environ, "PYTHONPATH": os.pathsep.join(sys.path),
        "LD_LIBRARY_PATH": os.pathsep.join(places), "ZE_ENABLE_VALIDATION_LAYER": "1",
        "ZE_ENABLE_PARAMETER_VALIDATION": "1", **environment,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=given, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "left:" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build a driver for the loader, from C and the loader's own headers."""
    compiler = shutil.which("cc") or shutil.which("c++")
    includes = [d for d in (OWN.parent / "include", Path("/usr/include")) if _has_headers(d)]
    if compiler is None or not includes:
        pytest.skip("building a driver needs a C compiler and the headers of Level Zero")
    source = Path(__file__).parents[3] / "data" / "level_zero" / "driver.c"
    made = tmp_path_factory.mktemp("driver") / "libze_played.so"
    subprocess.run(
        [compiler, "-x", "c", "-shared", "-fPIC", "-O1", f"-I{includes[0]}", str(source),
         "-o", str(made)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return str(made)


def _has_headers(folder: Path) -> bool:
    return (folder / "level_zero" / "ze_ddi.h").exists()


GOING_THROUGH = """
import ctypes
import numpy as np
from bellrock.target.xegpu.container import DeviceModule, KernelEntry
from bellrock.target.xegpu.loaders.base import Copy, Launch
from bellrock.target.xegpu.loaders.level_zero.device import EVENTS, LevelZeroDevice
from bellrock.errors import DeviceError

device = LevelZeroDevice()
print(device.name)
entry = KernelEntry(name="k", arguments=("pointer", "scalar", "scalar"), sub_group=16, slm_bytes=0,
                    group=(16, 1, 1))
module = DeviceModule(name="m", spirv=(0x07230203).to_bytes(4, "little") + bytes(16), llvm=b"",
                      kernels=(entry,), registers=256)
first, second = device.allocate(4096), device.allocate(4096)
x = np.arange(1024, dtype=np.float32)
y = np.zeros_like(x)
device.upload(first, x.ctypes.data, 4096)
program = device.load([module])
launch = Launch("k", (3, 1, 1), (16, 1, 1), (first.to_bytes(8, "little"), bytes(8), bytes(4)))
program.run([Copy(second, first, 4096), launch])
print(round(device.seconds * 1e9))
program.run([Copy(second + 4 * i % 2048, first + 8, 4) for i in range(EVENTS + 9)])
device.download(y.ctypes.data, first, 4096)
print(y[0], (y[1:] == x[1:]).all())
program.close()
try:
    device.load([DeviceModule(name="bad", spirv=b"no SPIR-V", llvm=b"", kernels=())])
except DeviceError as error:
    print(error)
device.free(first)
device.free(second)
device.close()
"""


@needs_loader
def test_all_calls_go_through_the_loader_and_its_checks(played: str) -> None:
    """The driver tells what is left at the end; the layer refuses handles that are none."""
    name, nanoseconds, memory, refused = _through_the_loader(
        GOING_THROUGH, ZE_ENABLE_ALT_DRIVERS=played, ZE_ENABLE_HANDLE_LIFETIME="1"
    ).splitlines()
    assert name == "Played GPU"
    assert nanoseconds == "5000"  # 100 ticks of 50 ns
    assert memory == "3.0 True"  # the kernel was given all three arguments
    assert "cannot build a device module" in refused
    assert "error: no such instruction" in refused


@needs_loader
@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("zeKernelDestroy(None)", 0x7800_0005),
        ("zeEventHostReset(None)", 0x7800_0005),
        ("zeModuleCreate(context, device._device, None, None, None)", 0x7800_0007),
        ("zeMemAllocDevice(context, None, 64, 64, device._device, None)", 0x7800_0007),
    ],
)
def test_the_layer_is_there_and_checks(played: str, call: str, status: int) -> None:
    """The driver itself would crash at these."""
    code = f"""
from bellrock.target.xegpu.loaders.level_zero.device import LevelZeroDevice
device = LevelZeroDevice()
context = device._context
print(device._api._library.{call})
device.close()
"""
    assert int(_through_the_loader(code, ZE_ENABLE_ALT_DRIVERS=played)) == status


@needs_loader
def test_what_is_left_is_told(played: str) -> None:
    """That the test above can fail."""
    code = """
from bellrock.target.xegpu.loaders.level_zero.device import LevelZeroDevice
LevelZeroDevice().allocate(64)
"""
    with pytest.raises(AssertionError, match="left: 1 of memory"):
        _through_the_loader(code, ZE_ENABLE_ALT_DRIVERS=played)


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
    (line,) = _through_the_loader(code, ZE_ENABLE_VALIDATION_LAYER=validation).splitlines()
    if line != "a GPU is there":
        assert "finds no driver of a GPU" in line
        assert "install the loader (Debian: libze1) and the driver" in line


@needs_loader
def test_the_loader_has_every_function() -> None:
    library = ze._load()
    assert all(hasattr(library, name) for name in ze._SIGNATURES)


def test_the_loader_of_an_environment_is_found() -> None:
    assert str(OWN / "libze_loader.so.1") in ze.LIBRARIES


def test_the_loader_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "simt")
    assert loader_name() == "simt"
    monkeypatch.setenv("BELLROCK_XEGPU_LOADER", "cuda")
    with pytest.raises(UnknownNameError, match="unknown loader 'cuda'; allowed: level-zero"):
        loader_name()
    monkeypatch.delenv("BELLROCK_XEGPU_LOADER")
    assert loader_name() in {"level-zero", "opencl", "simt"}
