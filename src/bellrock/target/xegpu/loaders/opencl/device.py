"""The OpenCL device as the rest of Bellrock sees it: requests to a process of its own.

Flows in: memory, modules, commands. Flows out: their effect, or an error. Intel's runtime for
processors was seen to crash over correct programs; here that ends a child process, which is
told from a refusal: the device is lost, and the next request starts a fresh one.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import send_handle
from typing import Any, TypeVar

from bellrock.errors import DeviceError
from bellrock.target.xegpu.container import DeviceModule
from bellrock.target.xegpu.loaders.allocations import Allocations
from bellrock.target.xegpu.loaders.base import (
    Command,
    Device,
    DeviceLostError,
    Launch,
    Program,
    check_launch,
)
from bellrock.target.xegpu.loaders.opencl import messages

CHILD = "bellrock.target.xegpu.loaders.opencl.child"
CPU_NOTE = (
    "kernels ran on a processor by OpenCL, so their times are not those of a GPU; "
    "results are verified, figures are static"
)

_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _Memory:
    """One allocation, as this end sees it."""

    mapping: mmap.mmap
    host: int


class OpenClDevice(Device):
    """An Intel GPU where OpenCL has one, else this machine's processor."""

    def __init__(self, *, allow_gpu: bool = True, own_memory: bool = False) -> None:
        """Start the child process and open the device.

        Args:
            allow_gpu: False takes the processor even where there is a GPU.
            own_memory: treat a processor as if it had memory of its own (for tests).

        Raises:
            DeviceError: there is no OpenCL, or no device.
        """
        self._hello = messages.Hello(allow_gpu, own_memory)
        self._child: _Child | None = None
        self._memory: dict[int, _Memory] = {}
        self.allocations = Allocations()
        self._numbers = 0
        self._process_id = os.getpid()
        about = self._started().about
        self.name = about.name
        self.timing_note = "" if about.is_gpu else CPU_NOTE
        self._copies = about.is_gpu or own_memory

    def allocate(self, size_bytes: int) -> int:
        descriptor = os.memfd_create("bellrock-opencl")
        try:
            os.ftruncate(descriptor, size_bytes)
            mapping = mmap.mmap(descriptor, size_bytes)
            place = self.ask(messages.Map(size_bytes), messages.Place, descriptor)
        except OSError as error:
            raise DeviceError(
                "there is not enough memory", got=f"{size_bytes} bytes ({error})"
            ) from error
        finally:
            os.close(descriptor)
        host = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
        self._memory[place.address] = _Memory(mapping, host)
        self.allocations.add(place.address, size_bytes)
        return place.address

    def free(self, address: int) -> None:
        self.allocations.remove(address)
        self.ask(messages.Unmap(address), messages.Done)
        del self._memory[address]

    def upload(self, to: int, host: int, size_bytes: int) -> None:
        base = self.allocations.base(to, size_bytes, what="what is to be filled")
        offset = to - base
        ctypes.memmove(self._memory[base].host + offset, host, size_bytes)
        if self._copies:
            self.ask(messages.Flow(base, offset, size_bytes, to_device=True), messages.Done)

    def download(self, host: int, source: int, size_bytes: int) -> None:
        base = self.allocations.base(source, size_bytes, what="what is to be read")
        offset = source - base
        if self._copies:
            self.ask(messages.Flow(base, offset, size_bytes, to_device=False), messages.Done)
        ctypes.memmove(host, self._memory[base].host + offset, size_bytes)

    def load(self, modules: Sequence[DeviceModule]) -> Program:
        self._numbers += 1
        sources = tuple(
            messages.Source(
                m.name, m.spirv, tuple((k.name, k.arguments) for k in m.kernels), m.registers
            )
            for m in modules
        )
        self.ask(messages.Build(self._numbers, sources), messages.Done)
        return OpenClProgram(self, self._numbers, modules)

    def close(self) -> None:
        if self._child is not None:
            self._child.stop()
        self._child = None
        self._memory.clear()
        self.allocations.clear()

    @property
    def about(self) -> messages.About:
        """What the child says of the device."""
        return self._started().about

    @property
    def process_id(self) -> int:
        """Of the child."""
        return self._started().process.pid

    def ask(
        self, request: messages.Request, kind: type[_Answer], descriptor: int | None = None
    ) -> _Answer:
        """Return the child's answer to a request.

        Args:
            request: what to do.
            kind: of the answer.
            descriptor: of memory to send along.

        Raises:
            DeviceError: it refuses.
            DeviceLostError: it died.
        """
        child = self._started()
        try:
            answer = child.exchange(request, descriptor)
        except (EOFError, ConnectionError) as error:
            self._lose()
            raise child.post_mortem(request) from error
        except BaseException:  # interrupted: the answer would come to the next request
            self._lose()
            child.kill()
            raise
        if isinstance(answer, messages.Failed):
            raise answer.error
        if not isinstance(answer, kind):
            raise DeviceError("OpenCL's process answers out of turn", got=type(answer).__name__)
        return answer

    def _lose(self) -> None:
        self._child = None
        self._memory.clear()
        self.allocations.clear()
        self.generation += 1

    def _started(self) -> _Child:
        if self._process_id != os.getpid():
            raise DeviceError(
                "a device was opened in another process, which this one is forked from",
                hint="load programs after the fork, or start processes by `spawn`",
            )
        if self._child is None:
            self._child = _Child(self._hello)
        return self._child


class OpenClProgram(Program):
    """Modules in the child, under a number."""

    def __init__(self, device: OpenClDevice, number: int, modules: Sequence[DeviceModule]) -> None:
        """Remember what was built."""
        self._device, self._number = device, number
        self._modules = {k.name: module for module in modules for k in module.kernels}

    def run(self, commands: Sequence[Command]) -> None:
        for command in commands:
            self._check(command)
        if commands:
            request = messages.Run(self._number, tuple(commands))
            self._device.seconds = self._device.ask(request, messages.Ran).seconds

    def _check(self, command: Command) -> None:
        about, allocations = self._device.about, self._device.allocations
        if isinstance(command, Launch):
            entry = check_launch(
                command, self._modules, max_group=about.max_group, slm_bytes=about.slm_bytes
            )
            allocations.check_pointers(command, entry)
        else:
            allocations.check_copy(command)

    def close(self) -> None:
        self._device.ask(messages.Drop(self._number), messages.Done)


class _Child:
    """The process and the ways to it."""

    def __init__(self, hello: messages.Hello) -> None:
        self._connection, theirs = Pipe()
        listening, self._lifeline = os.pipe()
        self._errors: Any = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `_clear`)
        command = [sys.executable, "-m", CHILD, str(theirs.fileno()), str(listening)]
        self.process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(), listening), stdin=subprocess.DEVNULL,
            stdout=self._errors, stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )  # fmt: skip
        theirs.close()
        os.close(listening)
        try:
            answer = self.exchange(hello, None)
        except (EOFError, ConnectionError) as error:
            raise self.post_mortem(hello) from error
        if not isinstance(answer, messages.About):
            self.stop()
            raise answer.error if isinstance(answer, messages.Failed) else DeviceError("no answer")
        self.about = answer

    def exchange(self, request: messages.Request, descriptor: int | None) -> messages.Answer:
        connection: Connection = self._connection
        connection.send(request)
        if descriptor is not None:
            send_handle(connection, descriptor, self.process.pid)
        return connection.recv()

    def post_mortem(self, request: messages.Request) -> DeviceLostError:
        """Clear away a child that died, and say over what."""
        self._connection.close()
        code = self.process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended ({code})"
        self._errors.seek(0)
        last = self._errors.read()[-800:].decode(errors="replace").strip()
        self._clear()
        what = f"OpenCL's process {how} while it was to {_TASKS[type(request)]}"
        return DeviceLostError(what, got=last or None)

    def kill(self) -> None:
        """End it in the middle of its work."""
        self._connection.close()
        self.process.kill()
        self.process.wait()
        self._clear()

    def stop(self) -> None:
        """End it and wait for its end."""
        self._connection.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._clear()

    def _clear(self) -> None:
        os.close(self._lifeline)
        self._errors.close()


_TASKS: dict[type, str] = {
    messages.Hello: "open the device",
    messages.Map: "allocate memory",
    messages.Unmap: "free memory",
    messages.Flow: "copy memory",
    messages.Build: "build modules",
    messages.Drop: "unload modules",
    messages.Run: "run kernels",
}
