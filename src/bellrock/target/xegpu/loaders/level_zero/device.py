"""A GPU by Level Zero.

Flows in: memory, modules, commands. Flows out: their effect, and the time that kernels took by
the device's own clock. Every request is checked here first: drivers take wrong handles, addresses
and sizes for right ones. Commands go to an immediate list, one after another.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bellrock.errors import DeviceError
from bellrock.target.xegpu.container import BUILD_FLAGS, DeviceModule
from bellrock.target.xegpu.loaders.allocations import Allocations
from bellrock.target.xegpu.loaders.base import (
    Command,
    Copy,
    Device,
    DeviceLostError,
    Launch,
    Program,
    check_launch,
)
from bellrock.target.xegpu.loaders.level_zero import api as ze

EVENTS = 256
"""Commands on their way at once."""
_ALIGNMENT_BYTES = 4096
_FOREVER = (1 << 64) - 1
_HOST_VISIBLE, _KERNEL_TIMESTAMP = 1, 4
_SCOPE_HOST = 4
_SPIRV = 0
_ASYNCHRONOUS = 2


class LevelZeroDevice(Device):
    """One GPU."""

    def __init__(self, library: ze.Api | None = None, number: int = 0) -> None:
        """Open a GPU.

        Args:
            library: None: the process's.
            number: of the GPU.

        Raises:
            DeviceError: there is no loader, no driver or no such GPU.
        """
        self._api = library or ze.api()
        found = ze.gpus(self._api)
        if number >= len(found):
            raise DeviceError(
                "Level Zero has no such GPU",
                got=number,
                allowed=f"{len(found)} found",
                hint=ze.HINT,
            )
        driver, self._device = found[number]
        self.about, self.limits = ze.DeviceProperties(), ze.ComputeProperties()
        self._api.call("zeDeviceGetProperties", self._device, ctypes.byref(self.about))
        self._api.call("zeDeviceGetComputeProperties", self._device, ctypes.byref(self.limits))
        self.name = self.about.name.decode(errors="replace")
        self.allocations = Allocations()
        self.modules = 0
        """That are loaded."""
        self._open(driver)

    def _open(self, driver: ze.Handle) -> None:
        call, made = self._api.call, self._api.handle
        self._context = made("zeContextCreate", driver, ctypes.byref(ze.ContextDescription()))
        queue = ze.QueueDescription(mode=_ASYNCHRONOUS)
        self._list = made(
            "zeCommandListCreateImmediate", self._context, self._device, ctypes.byref(queue)
        )
        pool = ze.EventPoolDescription(flags=_HOST_VISIBLE | _KERNEL_TIMESTAMP, count=EVENTS)
        self._pool = ze.Handle()
        devices = (ze.Handle * 1)(self._device)
        call(
            "zeEventPoolCreate", self._context, ctypes.byref(pool), 1, devices,
            ctypes.byref(self._pool),
        )  # fmt: skip
        self._events = [
            made(
                "zeEventCreate", self._pool,
                ctypes.byref(ze.EventDescription(index=i, signal=_SCOPE_HOST, wait=_SCOPE_HOST)),
            )
            for i in range(EVENTS)
        ]  # fmt: skip

    def allocate(self, size_bytes: int) -> int:
        if size_bytes < 1:
            raise DeviceError("an allocation needs a size", got=f"{size_bytes} bytes")
        description = ze.DeviceMemoryDescription()
        made = self._api.handle(
            "zeMemAllocDevice", self._context, ctypes.byref(description), size_bytes,
            _ALIGNMENT_BYTES, self._device,
        )  # fmt: skip
        address = made.value or 0
        self.allocations.add(address, size_bytes)
        return address

    def free(self, address: int) -> None:
        self.allocations.remove(address)
        self._api.call("zeMemFree", self._context, address)

    def upload(self, to: int, host: int, size_bytes: int) -> None:
        self.allocations.base(to, size_bytes, what="what is to be filled")
        self._copy(to, host, size_bytes)

    def download(self, host: int, source: int, size_bytes: int) -> None:
        self.allocations.base(source, size_bytes, what="what is to be read")
        self._copy(host, source, size_bytes)

    def load(self, modules: Sequence[DeviceModule]) -> Program:
        return LevelZeroProgram(self, modules)

    def close(self) -> None:
        if self._list.value is None:
            return
        if self.allocations or self.modules:
            raise DeviceError(
                "a device is closed that is still in use",
                got=f"{len(self.allocations)} allocations, {self.modules} modules",
            )
        for event in self._events:
            self._api.call("zeEventDestroy", event)
        self._api.call("zeEventPoolDestroy", self._pool)
        self._api.call("zeCommandListDestroy", self._list)
        self._api.call("zeContextDestroy", self._context)
        self._list = ze.Handle()

    def build(self, module: DeviceModule) -> ze.Handle:
        """Return a module on the device.

        Raises:
            DeviceError: the driver refuses it; with its log.
        """
        description = ze.ModuleDescription(
            format=_SPIRV, bytes=len(module.spirv), input=module.spirv,
            flags=BUILD_FLAGS.get(module.registers, "").encode() or None,
        )  # fmt: skip
        made, log = ze.Handle(), ze.Handle()
        try:
            self._api.call(
                "zeModuleCreate", self._context, self._device, ctypes.byref(description),
                ctypes.byref(made), ctypes.byref(log),
            )  # fmt: skip
        except DeviceLostError:
            raise
        except DeviceError as error:
            raise DeviceError(
                "the driver cannot build a device module", got=f"{error.got} {self._read(log)}",
                where=f"module {module.name!r}",
            ) from error  # fmt: skip
        finally:
            if log.value:
                self._api.call("zeModuleBuildLogDestroy", log)
        return made

    def _read(self, log: ze.Handle) -> str:
        if not log.value:
            return ""
        size = ctypes.c_size_t()
        self._api.call("zeModuleBuildLogGetString", log, ctypes.byref(size), None)
        text = ctypes.create_string_buffer(size.value)
        self._api.call("zeModuleBuildLogGetString", log, ctypes.byref(size), text)
        return text.value.decode(errors="replace")[-2000:]

    def kernel(self, module: ze.Handle, name: str) -> ze.Handle:
        """Return a kernel of a module."""
        description = ze.KernelDescription(name=name.encode())
        return self._api.handle("zeKernelCreate", module, ctypes.byref(description))

    def destroy(self, module: ze.Handle, kernels: Sequence[ze.Handle]) -> None:
        """Unload a module and its kernels."""
        for kernel in kernels:
            self._api.call("zeKernelDestroy", kernel)
        self._api.call("zeModuleDestroy", module)

    def run(self, commands: Sequence[tuple[Command, ze.Handle | None]]) -> None:
        """Carry out checked commands; launches come with their kernels."""
        seconds = 0.0
        for first in range(0, len(commands), EVENTS):
            some = commands[first : first + EVENTS]
            events = self._events[: len(some)]
            for (command, kernel), event in zip(some, events, strict=True):
                self._append(command, kernel, event)
            self._wait(events[-1])
            for (command, _), event in zip(some, events, strict=True):
                if isinstance(command, Launch):
                    seconds += self._elapsed(event)
                self._api.call("zeEventHostReset", event)
        self.seconds = seconds

    def _append(self, command: Command, kernel: ze.Handle | None, event: ze.Handle) -> None:
        call = self._api.call
        if isinstance(command, Copy):
            call(
                "zeCommandListAppendMemoryCopy", self._list, command.to, command.source,
                command.size_bytes, event, 0, None,
            )  # fmt: skip
        else:
            call("zeKernelSetGroupSize", kernel, *command.group)
            for position, value in enumerate(command.arguments):
                call("zeKernelSetArgumentValue", kernel, position, len(value), value)
            count = ze.GroupCount(*command.grid)
            call(
                "zeCommandListAppendLaunchKernel", self._list, kernel, ctypes.byref(count), event,
                0, None,
            )  # fmt: skip
        call("zeCommandListAppendBarrier", self._list, None, 0, None)  # the next may need it

    def _copy(self, to: int, source: int, size_bytes: int) -> None:
        event = self._events[0]
        self._api.call(
            "zeCommandListAppendMemoryCopy", self._list, to, source, size_bytes, event, 0, None
        )
        self._wait(event)
        self._api.call("zeEventHostReset", event)

    def _wait(self, event: ze.Handle) -> None:
        self._api.call("zeEventHostSynchronize", event, _FOREVER)

    def _elapsed(self, event: ze.Handle) -> float:
        found = ze.KernelTimestamp()
        self._api.call("zeEventQueryKernelTimestamp", event, ctypes.byref(found))
        ticks = (found.end - found.start) & ((1 << (self.about.kernel_timestamp_bits or 64)) - 1)
        return ticks * self.about.timer_resolution * 1e-9  # which is in ns per tick


@dataclass(slots=True)
class _Kernel:
    module: DeviceModule
    handle: ze.Handle


class LevelZeroProgram(Program):
    """Modules on a GPU."""

    def __init__(self, device: LevelZeroDevice, modules: Sequence[DeviceModule]) -> None:
        """Build modules and find their kernels.

        Raises:
            DeviceError: the driver refuses one.
        """
        self._device = device
        self._built: list[tuple[Any, list[Any]]] = []
        self._kernels: dict[str, _Kernel] = {}
        self._closed = False
        try:
            for module in modules:
                self._add(module)
        except DeviceError:
            self.close()
            raise

    def _add(self, module: DeviceModule) -> None:
        handle = self._device.build(module)
        kernels: list[ze.Handle] = []
        self._built.append((handle, kernels))
        self._device.modules += 1
        for entry in module.kernels:
            kernels.append(self._device.kernel(handle, entry.name))
            self._kernels[entry.name] = _Kernel(module, kernels[-1])

    def run(self, commands: Sequence[Command]) -> None:
        if self._closed:
            raise DeviceError("a program is run that has been unloaded")
        checked = [(command, self._checked(command)) for command in commands]
        wanted = [(c, k) for c, k in checked if isinstance(c, Copy) or all(c.grid)]
        if wanted:
            self._device.run(wanted)

    def _checked(self, command: Command) -> ze.Handle | None:
        if isinstance(command, Copy):
            self._device.allocations.check_copy(command)
            return None
        limits = self._device.limits
        modules = {name: kernel.module for name, kernel in self._kernels.items()}
        entry = check_launch(
            command, modules, max_group=limits.max_group, slm_bytes=limits.slm_bytes
        )
        self._device.allocations.check_pointers(command, entry)
        return self._kernels[command.kernel].handle

    def close(self) -> None:
        if self._closed:
            raise DeviceError("a program is unloaded twice")
        self._closed = True
        for module, kernels in self._built:
            self._device.destroy(module, kernels)
            self._device.modules -= 1
        self._built.clear()
