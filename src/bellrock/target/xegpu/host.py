"""The native host code of a program, and the commands that it gives.

Flows in: host objects, device addresses. Flows out: launches and copies, in order. Host code
only computes with device addresses and never reads what is behind them, so it runs on the host
whatever the device is, and what it asks for is known as a whole before the device begins.

Host code calls functions that are provided here:

    void bellrock_launch(const char *kernel, int64_t grid_x, int64_t grid_y, int64_t grid_z,
                         int64_t group_x, int64_t group_y, int64_t group_z,
                         int64_t count, void **arguments, int64_t *argument_bytes);
    void bellrock_copy(void *to, const void *from, int64_t bytes);
    void *bellrock_allocate(int64_t bytes);
    void bellrock_free(void *memory);

All are in order: memory that was freed may be handed out again at once.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bellrock.target.native.link import link
from bellrock.target.xegpu.loaders.base import Command, Copy, Launch

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_LAUNCH = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, *[ctypes.c_int64] * 7, ctypes.c_void_p, ctypes.c_void_p
)
_COPY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
_ALLOCATE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int64)
_FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


Allocate = Callable[[int], int]
"""Returns the address of device memory of that many bytes, which lasts until the call is over."""


@dataclass(slots=True)
class _Recording:
    """What the host code of one call has asked for."""

    allocate: Allocate
    commands: list[Command] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    """Of what was allocated, by address."""
    free: dict[int, list[int]] = field(default_factory=dict)
    """Addresses to hand out again, by size."""
    error: Exception | None = None
    """The first that a function here raised: it cannot pass through native code."""


class _Current(threading.local):
    """The recording of this thread."""

    recording: _Recording


_CURRENT = _Current()


def _launch(kernel: bytes, *numbers: int) -> None:
    *sizes, count, values, lengths = numbers
    where = (ctypes.c_void_p * count).from_address(values) if count else ()
    long = (ctypes.c_int64 * count).from_address(lengths) if count else ()
    arguments = tuple(ctypes.string_at(w or 0, n) for w, n in zip(where, long, strict=True))
    x, y, z, group_x, group_y, group_z = sizes
    _CURRENT.recording.commands.append(
        Launch(kernel.decode(), (x, y, z), (group_x, group_y, group_z), arguments)
    )


def _copy(to: int | None, source: int | None, size_bytes: int) -> None:
    if size_bytes:
        _CURRENT.recording.commands.append(Copy(to or 0, source or 0, size_bytes))


def _allocate(size_bytes: int) -> int:
    recording = _CURRENT.recording
    try:
        idle = recording.free.get(size_bytes)
        address = idle.pop() if idle else recording.allocate(size_bytes)
    except Exception as error:  # noqa: BLE001 (raised again when the native code is through)
        recording.error = recording.error or error
        return 0
    recording.sizes[address] = size_bytes
    return address


def _free(address: int | None) -> None:
    recording = _CURRENT.recording
    if address:
        recording.free.setdefault(recording.sizes[address], []).append(address)


_CALLBACKS: dict[str, Any] = {
    "bellrock_launch": _LAUNCH(_launch),
    "bellrock_copy": _COPY(_copy),
    "bellrock_allocate": _ALLOCATE(_allocate),
    "bellrock_free": _FREE(_free),
}
"""Held here: code that was linked with them may run as long as the process does."""


class HostCode:
    """Linked host code. It is freed with the object."""

    def __init__(self, objects: Sequence[bytes], *, entries: Sequence[str]) -> None:
        """Link.

        Args:
            objects: relocatable.
            entries: symbols that `record` may be asked for; each takes one `void **`.

        Raises:
            CompileError: a symbol is missing.
        """
        places = {
            name: int(ctypes.cast(callback, ctypes.c_void_p).value or 0)
            for name, callback in _CALLBACKS.items()
        }
        self._linked = link(objects, symbols=entries, provided=places)
        self._entries = {name: _ENTRY(self._linked.address(name)) for name in entries}

    def record(self, entry: str, addresses: Sequence[int], allocate: Allocate) -> list[Command]:
        """Run an entry on device addresses, and return what it asked for.

        Args:
            entry: one of the symbols.
            addresses: on the device.
            allocate: provides what the code needs in between.

        Raises:
            DeviceError: `allocate` raised it.
        """
        slots = (ctypes.c_void_p * len(addresses))(*addresses)
        recording = _CURRENT.recording = _Recording(allocate)
        self._entries[entry](ctypes.addressof(slots))
        if recording.error is not None:
            raise recording.error
        return recording.commands
