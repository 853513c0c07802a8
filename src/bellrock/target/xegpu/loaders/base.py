"""What a loader provides: memory that kernels can reach, and kernels to launch on it.

Flows in: device modules, commands (launches and copies, in order). Flows out: their effect on
device memory. Host and device memory are told apart everywhere: a device address means nothing
to the host, even where both happen to be the same.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bellrock.errors import DeviceError
from bellrock.target.xegpu.container import DeviceModule, KernelEntry

Size3 = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel on a grid of work-groups."""

    kernel: str
    grid: Size3
    """Work-groups along x, y, z."""
    group: Size3
    """Work-items of a work-group along x, y, z."""
    arguments: tuple[bytes, ...]
    """Values in the host's byte order; pointers are device addresses."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Bytes from one place of device memory to another; the two must not overlap."""

    to: int
    source: int
    size_bytes: int


Command = Launch | Copy


class DeviceLostError(DeviceError):
    """The device died over a request, and with it all its memory and modules.

    A request to the same `Device` after that finds a fresh one.
    """


class Program(abc.ABC):
    """Modules on a device. Whoever made it closes it."""

    @abc.abstractmethod
    def run(self, commands: Sequence[Command]) -> None:
        """Carry out commands in order, and return when the last is done.

        Raises:
            DeviceError: a command is malformed, or failed.
            DeviceLostError: the device died.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Unload the modules; the program cannot be used again."""


class Device(abc.ABC):
    """One device, or what stands in for it.

    Thread safety: none; `memory.DeviceMemory` and its users take the device's lock.
    """

    name: str
    """For people."""
    timing_note: str = ""
    """Why times on it are not those of a GPU; empty on a GPU."""
    seconds: float | None = None
    """How long the kernels of the last run took, by the device's own clock; None: not known."""
    exact_sizes: bool = False
    """Whether it tells accesses beyond an allocation's end: memory is then not rounded up, nor
    used again."""
    interprets: bool = False
    """Whether it runs the LLVM form of modules, and finds faults that hardware would not."""
    generation: int = 0
    """Goes up when the device is lost: addresses of earlier generations mean nothing."""

    @abc.abstractmethod
    def allocate(self, size_bytes: int) -> int:
        """Return the address of fresh device memory, aligned to 64 bytes at least.

        Raises:
            DeviceError: there is not that much.
        """

    @abc.abstractmethod
    def free(self, address: int) -> None:
        """Give memory back, by the address that `allocate` returned."""

    @abc.abstractmethod
    def upload(self, to: int, host: int, size_bytes: int) -> None:
        """Copy host memory into device memory; done on return."""

    @abc.abstractmethod
    def download(self, host: int, source: int, size_bytes: int) -> None:
        """Copy device memory into host memory; done on return."""

    @abc.abstractmethod
    def load(self, modules: Sequence[DeviceModule]) -> Program:
        """Make modules ready to be launched.

        Raises:
            DeviceError: the device refuses one.
            DeviceLostError: the device died.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Give back everything; the device cannot be used again."""


def check_launch(
    launch: Launch, modules: Mapping[str, DeviceModule], *, max_group: int, slm_bytes: int
) -> KernelEntry:
    """Make sure that a launch is what its kernel and the device take.

    Args:
        launch: to check.
        modules: of the program, by the names of their kernels.
        max_group: work-items that a work-group may have.
        slm_bytes: local memory that a work-group may have.

    Returns:
        What the kernel is.

    Raises:
        DeviceError: saying which rule it breaks.
    """
    where = f"kernel {launch.kernel!r}"
    if launch.kernel not in modules:
        raise DeviceError("a launch names no kernel of its program", got=launch.kernel)
    entry = next(e for e in modules[launch.kernel].kernels if e.name == launch.kernel)
    _check_sizes(launch, entry, where, max_group)
    if entry.slm_bytes > slm_bytes:
        raise DeviceError(
            "a work-group needs more local memory than the device has",
            got=f"{entry.slm_bytes} bytes", allowed=f"up to {slm_bytes}", where=where,
        )  # fmt: skip
    if len(launch.arguments) != len(entry.arguments):
        raise DeviceError(
            "a launch has another number of arguments than its kernel",
            got=len(launch.arguments), allowed=str(len(entry.arguments)), where=where,
        )  # fmt: skip
    for position, (kind, value) in enumerate(zip(entry.arguments, launch.arguments, strict=True)):
        if kind == "pointer" and len(value) != 8:
            raise DeviceError(
                f"argument {position} is a pointer, and has another size",
                got=f"{len(value)} bytes", allowed="8 bytes", where=where,
            )  # fmt: skip
    return entry


def _check_sizes(launch: Launch, entry: KernelEntry, where: str, max_group: int) -> None:
    if min(launch.grid) < 0 or min(launch.group) < 1:
        raise DeviceError(
            "a launch has a size that cannot be",
            got=f"grid {launch.grid}, group {launch.group}",
            where=where,
        )
    if entry.group is not None and launch.group != entry.group:
        raise DeviceError(
            "a launch has another work-group size than its kernel requires",
            got=launch.group, allowed=str(entry.group), where=where,
        )  # fmt: skip
    items = launch.group[0] * launch.group[1] * launch.group[2]
    if items > max_group:
        raise DeviceError(
            "a work-group is too large for the device",
            got=f"{items} work-items", allowed=f"up to {max_group}", where=where,
        )  # fmt: skip
