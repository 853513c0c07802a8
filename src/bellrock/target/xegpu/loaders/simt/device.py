"""The interpreter as a device.

Flows in: memory, modules, launches. Flows out: what the kernels do to memory, or an error that
names the kernel, the op and the fault.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from bellrock.errors import DeviceError
from bellrock.target.xegpu.container import DeviceModule
from bellrock.target.xegpu.loaders.base import (
    Command,
    Copy,
    Device,
    Launch,
    Program,
    check_launch,
)
from bellrock.target.xegpu.loaders.simt.decode import DecodedModule, Function, decode
from bellrock.target.xegpu.loaders.simt.execute import OpError, run_function
from bellrock.target.xegpu.loaders.simt.frame import frame_of
from bellrock.target.xegpu.loaders.simt.memory import AccessError, GlobalMemory
from bellrock.target.xegpu.loaders.simt.types import Array, Plain

NOTE = (
    "kernels ran by an interpreter, so their times are not those of a GPU; "
    "results are verified, figures are static"
)
MAX_GROUP = 1024
SLM_BYTES = 128 << 10
"""Of a work-group; hardware's limits, not the interpreter's."""
BATCH_ITEMS = 8192
"""Work-items that run side by side: enough to hide the interpreter, few enough for the caches."""


class SimtDevice(Device):
    """All work-items in numpy arrays."""

    name = "interpreter"
    timing_note = NOTE
    exact_sizes = True
    interprets = True

    def __init__(self) -> None:
        """Start without memory."""
        self.memory = GlobalMemory()

    def allocate(self, size_bytes: int) -> int:
        return self.memory.allocate(size_bytes)

    def free(self, address: int) -> None:
        self.memory.free(address)

    def upload(self, to: int, host: int, size_bytes: int) -> None:
        ctypes.memmove(self._at(to, size_bytes).ctypes.data, host, size_bytes)

    def download(self, host: int, source: int, size_bytes: int) -> None:
        ctypes.memmove(host, self._at(source, size_bytes).ctypes.data, size_bytes)

    def load(self, modules: Sequence[DeviceModule]) -> Program:
        return SimtProgram(self, modules)

    def close(self) -> None:
        self.memory = GlobalMemory()

    def copy(self, command: Copy) -> None:
        """Copy between two places of memory."""
        source = self._at(command.source, command.size_bytes)
        self._at(command.to, command.size_bytes)[:] = source

    def _at(self, address: int, size_bytes: int) -> Array:
        try:
            self.memory.check(np.array([address]), size_bytes)
        except AccessError as error:
            raise DeviceError("a copy is out of bounds", got=str(error)) from error
        first = address - self.memory.base
        return self.memory.data[first : first + size_bytes]


class SimtProgram(Program):
    """Decoded modules; each is decoded when it is first needed."""

    def __init__(self, device: SimtDevice, modules: Sequence[DeviceModule]) -> None:
        """Remember the modules."""
        self._device = device
        self._modules = {k.name: module for module in modules for k in module.kernels}
        self._decoded: dict[int, DecodedModule] = {}
        """By the identity of a module: names are its kernels' only."""

    def run(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if isinstance(command, Copy):
                self._device.copy(command)
                continue
            check_launch(command, self._modules, max_group=MAX_GROUP, slm_bytes=SLM_BYTES)
            with np.errstate(all="ignore"):
                self._launch(command)

    def close(self) -> None:
        for module in self._decoded.values():
            for address in module.layout.constants.values():
                self._device.free(address)
        self._decoded.clear()

    def _launch(self, launch: Launch) -> None:
        module = self._module(launch)
        function = module.functions.get(launch.kernel)
        if function is None:
            raise DeviceError("a module lacks its kernel", got=launch.kernel)
        arguments = _arguments(function, launch)
        items = launch.group[0] * launch.group[1] * launch.group[2]
        groups = launch.grid[0] * launch.grid[1] * launch.grid[2]
        step = max(1, BATCH_ITEMS // items)
        for first in range(0, groups, step):
            frame = frame_of(
                launch.grid, launch.group, np.arange(first, min(first + step, groups)),
                memory=self._device.memory, local_bytes=module.layout.local_bytes,
                private_bytes=module.layout.private_bytes,
            )  # fmt: skip
            try:
                run_function(function, frame, arguments)
            except OpError as error:
                raise DeviceError(error.what, got=error.op, where=_where(launch)) from error

    def _module(self, launch: Launch) -> DecodedModule:
        source = self._modules[launch.kernel]
        if id(source) not in self._decoded:
            self._decoded[id(source)] = decode(source.llvm, self._device.memory)
        return self._decoded[id(source)]


def _arguments(function: Function, launch: Launch) -> list[Array]:
    values = []
    for position, (kind, given) in enumerate(zip(function.kinds, launch.arguments, strict=True)):
        if not isinstance(kind, Plain) or kind.dtype.itemsize != len(given):
            raise DeviceError(
                f"argument {position} of a launch has another size than its parameter",
                got=f"{len(given)} bytes", allowed=str(kind), where=_where(launch),
            )  # fmt: skip
        values.append(np.frombuffer(given, kind.dtype).copy())
    return values


def _where(launch: Launch) -> str:
    return f"kernel {launch.kernel!r}"
