"""Which loader runs a program, and the one device of it that a process has.

Flows in: the variable `BELLROCK_XEGPU_LOADER`, what is installed. Flows out: a `SharedDevice`.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bellrock.errors import UnknownNameError
from bellrock.target.xegpu.loaders.base import Device, Program
from bellrock.target.xegpu.memory import Block, DeviceMemory

VARIABLE = "BELLROCK_XEGPU_LOADER"
KEPT_BYTES = 1 << 30
"""Device memory that came back and is kept for later."""


@dataclass(slots=True)
class SharedDevice:
    """A device with its memory, which one thread at a time uses."""

    device: Device
    memory: DeviceMemory
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _left: deque[tuple[Program | None, int, list[Block]]] = field(default_factory=deque)
    """What programs that are gone had on the device, and of which generation of it."""

    @contextmanager
    def session(self) -> Iterator[None]:
        """Have the device alone, after what others left there is cleared away."""
        with self._lock:
            while self._left:
                program, generation, blocks = self._left.popleft()
                for block in blocks:
                    self.memory.give_back(block)
                if program is not None and generation == self.device.generation:
                    program.close()
            yield

    def leave(self, program: Program | None, generation: int, blocks: list[Block]) -> None:
        """Leave things to be freed in the next session; never waits."""
        self._left.append((program, generation, blocks))

    def close(self) -> None:
        """Free the idle memory and close the device."""
        with self.session():
            self.memory.release()
            self.device.close()


def _level_zero() -> Device:
    from bellrock.target.xegpu.loaders.level_zero.device import LevelZeroDevice

    return LevelZeroDevice()


def _opencl() -> Device:
    from bellrock.target.xegpu.loaders.opencl.device import OpenClDevice

    return OpenClDevice()


def _simt() -> Device:
    from bellrock.target.xegpu.loaders.simt.device import SimtDevice

    return SimtDevice()


LOADERS: dict[str, Callable[[], Device]] = {
    "level-zero": _level_zero,
    "opencl": _opencl,
    "simt": _simt,
}


def loader_name() -> str:
    """Return the loader that the environment asks for, else the best one that can work here.

    Raises:
        UnknownNameError: the environment asks for one that is not there.
    """
    asked = os.environ.get(VARIABLE, "")
    if asked:
        if asked not in LOADERS:
            raise UnknownNameError("loader", asked, LOADERS, where=VARIABLE)
        return asked
    from bellrock.target.xegpu.loaders.level_zero.api import device_present

    if device_present():
        return "level-zero"
    return "opencl" if importlib.util.find_spec("pyopencl") is not None else "simt"


def open_device(name: str) -> SharedDevice:
    """Open a device of a loader, apart from the process's own; the caller closes it.

    Raises:
        UnknownNameError: no such loader.
        DeviceError: it does not work here.
    """
    if name not in LOADERS:
        raise UnknownNameError("loader", name, LOADERS)
    device = LOADERS[name]()
    return SharedDevice(device, DeviceMemory(device, kept_bytes=KEPT_BYTES))


_OPEN: dict[tuple[int, str], SharedDevice] = {}
"""By process and loader: a device does not survive a fork."""
_OPENING = threading.Lock()


def shared_device() -> SharedDevice:
    """Return the process's device of the loader that the environment asks for.

    Raises:
        UnknownNameError: no such loader.
        DeviceError: it does not work here.
    """
    with _OPENING:
        key = (os.getpid(), loader_name())
        if key not in _OPEN:
            _OPEN[key] = open_device(key[1])
        return _OPEN[key]
