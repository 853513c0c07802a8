"""Programs on the devices that stand in for a GPU: results, memory, loss of the device."""

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bellrock.errors import DeviceError
from bellrock.target.xegpu.loaders.base import Copy, Launch
from bellrock.target.xegpu.loaders.choosing import SharedDevice
from bellrock.target.xegpu.loaders.opencl.device import OpenClDevice
from bellrock.target.xegpu.loading import XegpuLoaded

N = 1000


class _Buffers:
    """Host memory of a call of `scaling_program`."""

    def __init__(self) -> None:
        self.x = np.arange(N, dtype=np.float32)
        self.w = self.x + 1
        self.value, self.y, self.z, self.work = (np.zeros(N, np.float32) for _ in range(4))

    def prepare(self, program: XegpuLoaded) -> None:
        program.prepare([a.ctypes.data for a in (self.w, self.value, self.work)])

    def call(self, program: XegpuLoaded) -> None:
        every = (self.x, self.w, self.value, self.y, self.z, self.work)
        program.call([a.ctypes.data for a in every])

    def right(self) -> bool:
        return bool((self.y == 6 * self.x).all() and (self.z == 10 * self.w).all())


def test_a_program_prepares_and_runs(device: SharedDevice, samples: SimpleNamespace) -> None:
    program, host = XegpuLoaded(samples.scaling_program(N), device), _Buffers()
    host.prepare(program)
    assert (host.value == 10 * host.w).all()
    for _ in range(2):
        host.y[:] = 0
        host.call(program)
        assert host.right()
    assert "not those of a GPU" in program.timing_note
    assert program.warnings() == ()


def test_values_the_device_lost_sight_of_come_from_the_host(
    device: SharedDevice, samples: SimpleNamespace
) -> None:
    program, host = XegpuLoaded(samples.scaling_program(N), device), _Buffers()
    host.value[:] = 7  # as if prepared long ago
    host.call(program)
    assert (host.z == 7).all()


def test_nothing_leaks(device: SharedDevice, samples: SimpleNamespace) -> None:
    program, host = XegpuLoaded(samples.scaling_program(N), device), _Buffers()
    before = device.memory.held_bytes
    for _ in range(5):  # each set of values takes the place of an older one
        host.prepare(program)
        host.value = host.value.copy()
    with pytest.raises(DeviceError, match="another number of addresses"):
        program.call([0])
    held = device.memory.held_bytes
    assert before < held <= before + 2 * 4096
    program.close()
    assert device.memory.held_bytes == before
    other = XegpuLoaded(samples.scaling_program(N), device)
    host.prepare(other)
    del other
    with device.session():
        assert device.memory.held_bytes == before
    with device.session():
        device.memory.release()
        assert device.memory.idle_bytes == 0


def test_a_lost_device_is_replaced_and_reported(
    opencl: SharedDevice, samples: SimpleNamespace
) -> None:
    program, host = XegpuLoaded(samples.scaling_program(N), opencl), _Buffers()
    host.prepare(program)
    assert isinstance(opencl.device, OpenClDevice)
    os.kill(opencl.device.process_id, signal.SIGSEGV)
    host.call(program)
    assert host.right()
    (warning,) = program.warnings()
    assert "killed by SIGSEGV" in warning
    assert "tried again on a fresh device" in warning
    host.y[:] = 0
    host.call(program)
    assert host.right()


def test_a_device_that_dies_again_is_an_error(
    opencl: SharedDevice, samples: SimpleNamespace
) -> None:
    """A kernel that writes to a wild address kills the process each time."""
    wild = """
      llvm.func spir_kernelcc @wild(%at: i64) {
        %p = llvm.inttoptr %at : i64 to !llvm.ptr<1>
        %x = llvm.mlir.constant(1.0 : f32) : f32
        llvm.store volatile %x, %p : f32, !llvm.ptr<1>
        llvm.return
      }"""
    device = opencl.device
    for _ in range(2):
        program = device.load([samples.module(wild, samples.entry("wild", "scalar"))])
        with pytest.raises(DeviceError, match=r"killed by SIG\w+ while it was to run kernels"):
            program.run([Launch("wild", (1, 1, 1), (1, 1, 1), ((64).to_bytes(8, "little"),))])


def test_a_module_that_is_none_is_refused_in_one_line(
    opencl: SharedDevice, samples: SimpleNamespace
) -> None:
    from dataclasses import replace

    broken = replace(samples.module(samples.scale, samples.scale_entry), spirv=b"no spirv at all!")
    with pytest.raises(DeviceError, match="OpenCL"):
        opencl.device.load([broken])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": "other"}, "names no kernel"),
        ({"grid": (-1, 1, 1)}, "a size that cannot be"),
        ({"group": (1 << 20, 1, 1)}, "too large for the device"),
        ({"arguments": (b"12345678",)}, "another number of arguments"),
        ({"arguments": (b"1234", b"12345678", b"12345678", b"1234")}, "is a pointer"),
        ({}, "is not in memory of the device|outside of all global memory"),
    ],
)
def test_a_bad_launch_is_an_error(
    device: SharedDevice, samples: SimpleNamespace, change: dict, message: str
) -> None:
    good = {"kernel": "scale", "grid": (1, 1, 1), "group": (16, 1, 1)}
    good |= {"arguments": (b"1234567\0", b"1234567\0", b"12345678", b"1234")}
    program = device.device.load([samples.module(samples.scale, samples.scale_entry)])
    with pytest.raises(DeviceError, match=message):
        program.run([Launch(**(good | change))])
    program.close()


def test_copies_between_device_blocks(device: SharedDevice, samples: SimpleNamespace) -> None:
    given = np.arange(100, dtype=np.uint8)
    got = np.zeros(100, np.uint8)
    program = device.device.load([])
    with device.session(), device.memory.frame() as frame:
        one, two = frame.filled(given.ctypes.data, 100), frame.filled(got.ctypes.data, 100)
        program.run([Copy(two.address + 10, one.address + 5, 50)])
        device.memory.download(got.ctypes.data, two)
    assert (got[10:60] == given[5:55]).all()
    assert not got[:10].any()
    assert not got[60:].any()


def test_threads_take_turns(device: SharedDevice, samples: SimpleNamespace) -> None:
    program = XegpuLoaded(samples.scaling_program(N), device)

    def work(seed: int) -> bool:
        host = _Buffers()
        host.x += seed
        host.w += seed
        right = []
        for _ in range(5):
            host.prepare(program)
            host.call(program)
            right.append(host.right())
        return all(right)

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [True] * 3


def test_an_interrupted_request_is_not_answered_later(
    opencl: SharedDevice, samples: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, host = XegpuLoaded(samples.scaling_program(N), opencl), _Buffers()
    host.prepare(program)
    receive = Connection.recv

    def interrupted(connection: Connection) -> object:
        monkeypatch.setattr(Connection, "recv", receive)
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "recv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        host.call(program)
    host.call(program)
    assert host.right()


@pytest.mark.usefixtures("opencl_here")
def test_a_forked_process_is_told_to_load_anew() -> None:
    device = OpenClDevice(allow_gpu=False)
    child = os.fork()
    if child == 0:
        try:
            device.allocate(64)
        except DeviceError as error:
            os._exit(0 if "forked from" in str(error) else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    device.free(device.allocate(64))
    device.close()


@pytest.mark.usefixtures("opencl_here")
def test_the_process_of_opencl_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A folder of its own: other tests run at the same time.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    device = OpenClDevice(allow_gpu=False)
    process, descriptors = device.process_id, len(list(Path("/proc/self/fd").iterdir()))
    device.close()
    assert not Path(f"/proc/{process}").exists()
    assert len(list(Path("/proc/self/fd").iterdir())) < descriptors
    assert not list(tmp_path.iterdir())
