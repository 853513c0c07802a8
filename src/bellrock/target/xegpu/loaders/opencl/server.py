"""OpenCL itself: the device, its memory, programs and launches.

Flows in: requests. Flows out: answers. Kernels take plain pointers: on a processor those of the
memory that both ends see, on a GPU those of its own memory, which is filled from there.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

from bellrock.errors import DeviceError
from bellrock.target.xegpu.container import ArgumentKind
from bellrock.target.xegpu.loaders.base import Command, Copy, Launch
from bellrock.target.xegpu.loaders.opencl.environment import runtimes_listed
from bellrock.target.xegpu.loaders.opencl.library import library_source, symbols_of
from bellrock.target.xegpu.loaders.opencl.messages import (
    About,
    Answer,
    Build,
    Done,
    Drop,
    Flow,
    Hello,
    Map,
    Place,
    Ran,
    Request,
    Run,
    Source,
    Unmap,
)
from bellrock.target.xegpu.loaders.opencl.unified import UnifiedMemory

_LIBRARY_OPTIONS = ["-cl-std=CL3.0"]
_REGISTERS = 128
"""Of a thread, if nothing is asked for."""
_LARGE_REGISTERS = "-cl-intel-256-GRF-per-thread"
"""An option of Intel's GPU drivers only."""


@dataclass(slots=True)
class _Memory:
    """What both ends see of one allocation."""

    mapping: mmap.mmap
    host: int


@dataclass(slots=True)
class _Kernel:
    kernel: Any
    arguments: tuple[ArgumentKind, ...]


class Server:
    """One device and what is on it."""

    def __init__(self, connection: Connection) -> None:
        """Open nothing yet.

        Args:
            connection: where descriptors of memory come from.
        """
        self._connection = connection
        self._context: Any = None
        self._queue: Any = None
        self._is_gpu = False
        self._unified: UnifiedMemory | None = None
        self._memory: dict[int, _Memory] = {}
        self._programs: dict[int, dict[str, _Kernel]] = {}
        self._rules: dict[type, Callable[[Any], Answer]] = {
            Hello: self._open, Map: self._map, Unmap: self._unmap, Flow: self._flow,
            Build: self._build, Drop: self._drop, Run: self._run,
        }  # fmt: skip

    def answer(self, request: Request) -> Answer:
        """Do what is asked.

        Raises:
            DeviceError: it cannot be done.
        """
        return self._rules[type(request)](request)

    def _open(self, request: Hello) -> About:
        with runtimes_listed():
            import pyopencl as cl

            device = _choose(allow_gpu=request.allow_gpu)
        self._context = cl.Context([device])
        profiling = cl.command_queue_properties.PROFILING_ENABLE
        self._queue = cl.CommandQueue(self._context, properties=profiling)
        is_gpu = self._is_gpu = bool(device.type & cl.device_type.GPU)
        if is_gpu or request.own_memory:
            self._unified = UnifiedMemory(self._context, device, self._queue)
        name = f"{device.name.strip()}, {device.platform.name.strip()}"
        return About(name, is_gpu, int(device.max_work_group_size), int(device.local_mem_size))

    def _map(self, request: Map) -> Place:
        descriptor = recv_handle(self._connection)
        try:
            mapping = mmap.mmap(descriptor, request.size_bytes)
        finally:
            os.close(descriptor)
        host = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
        address = self._unified.allocate(request.size_bytes) if self._unified else host
        self._memory[address] = _Memory(mapping, host)
        return Place(address)

    def _unmap(self, request: Unmap) -> Done:
        del self._memory[request.address]  # the mapping ends with its last reference
        if self._unified:
            self._unified.free(request.address)
        return Done()

    def _flow(self, request: Flow) -> Done:
        if self._unified:
            device = request.address + request.offset_bytes
            host = self._memory[request.address].host + request.offset_bytes
            to, source = (device, host) if request.to_device else (host, device)
            self._unified.copy(to, source, request.size_bytes)
            self._queue.finish()
        return Done()

    def _build(self, request: Build) -> Done:
        import pyopencl as cl

        kernels: dict[str, _Kernel] = {}
        for source in request.sources:
            program = self._built(source)
            for name, arguments in source.kernels:
                kernel = cl.Kernel(program, name)
                kernels[name] = _Kernel(kernel, arguments)
        self._programs[request.number] = kernels
        return Done()

    def _built(self, source: Source) -> Any:
        import pyopencl as cl

        program = cl.Program(self._context, source.spirv)
        library, options = build_plan(source, is_gpu=self._is_gpu)
        try:
            if not library:
                return program.build(options=options)
            beside = cl.Program(self._context, library).compile(options=_LIBRARY_OPTIONS)
            return cl.link_program(self._context, [program.compile(options=options), beside])
        except cl.RuntimeError as error:
            raise DeviceError(
                "OpenCL cannot build a device module",
                got=str(error)[-2000:],
                where=f"module {source.name!r}",
            ) from error

    def _drop(self, request: Drop) -> Done:
        self._programs.pop(request.number, None)
        return Done()

    def _run(self, request: Run) -> Ran:
        kernels = self._programs[request.number]
        events = [self._enqueue(command, kernels) for command in request.commands]
        self._queue.finish()
        spans = [e.profile.end - e.profile.start for e in events if e is not None]
        return Ran(1e-9 * sum(spans))

    def _enqueue(self, command: Command, kernels: dict[str, _Kernel]) -> Any:
        """Enqueue a command, and return the event of a launch."""
        import pyopencl as cl

        if isinstance(command, Copy):
            self._copy(command)
            return None
        if not all(command.grid):
            return None
        kernel = kernels[command.kernel]
        self._set_arguments(kernel, command)
        items = tuple(g * n for g, n in zip(command.grid, command.group, strict=True))
        return cl.enqueue_nd_range_kernel(self._queue, kernel.kernel, items, command.group)

    def _copy(self, command: Copy) -> None:
        if self._unified:
            self._unified.copy(command.to, command.source, command.size_bytes)
        else:
            self._queue.finish()
            ctypes.memmove(command.to, command.source, command.size_bytes)

    def _set_arguments(self, kernel: _Kernel, launch: Launch) -> None:
        import pyopencl as cl

        given = zip(kernel.arguments, launch.arguments, strict=True)
        for position, (kind, value) in enumerate(given):
            if kind == "scalar":
                kernel.kernel.set_arg(position, value)
            elif self._unified:
                address = int.from_bytes(value, "little")
                self._unified.set_pointer(kernel.kernel, position, address)
            else:
                place = ctypes.c_char.from_address(int.from_bytes(value, "little"))
                kernel.kernel.set_arg(position, cl.SVM(place))


def build_plan(source: Source, *, is_gpu: bool) -> tuple[str, list[str]]:
    """Return the library that a module is linked with, and the options that it is built with.

    A GPU's compiler has the built-in functions, and must not be given slower ones.
    """
    if is_gpu:
        return "", [_LARGE_REGISTERS] if source.registers > _REGISTERS else []
    return library_source(symbols_of(source.spirv)), []


def _choose(*, allow_gpu: bool) -> Any:
    """Return an Intel GPU if there is one that will do, else a processor."""
    import pyopencl as cl

    try:
        platforms = cl.get_platforms()
    except cl.LogicError as error:  # how pyopencl says that there is none
        raise _no_device("no OpenCL platform was found") from error
    devices = [device for platform in platforms for device in platform.get_devices()]
    for device in devices:
        if allow_gpu and device.type & cl.device_type.GPU and "Intel" in device.vendor:
            return device
    for device in devices:
        if device.type & cl.device_type.CPU and "Intel" in device.platform.name:
            return device
    raise _no_device("OpenCL has neither an Intel GPU nor Intel's runtime for processors")


def _no_device(what: str) -> DeviceError:
    return DeviceError(
        what, hint="install them with `pip install bellrock[xegpu]`, or the driver of the GPU"
    )
