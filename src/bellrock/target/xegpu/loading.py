"""Loading a program and calling it on host memory, whichever loader runs its kernels.

Flows in: an `Artifact`, host addresses. Flows out: `XegpuLoaded`: arguments go to the device,
the host code says what to launch, results come back. What was prepared stays on the device.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from bellrock.errors import DeviceError
from bellrock.target.base import Artifact, CodeMutant, Loaded
from bellrock.target.xegpu.container import DeviceModule, unpack
from bellrock.target.xegpu.host import HostCode
from bellrock.target.xegpu.loaders.base import Command, Copy, DeviceLostError, Program
from bellrock.target.xegpu.loaders.choosing import VARIABLE, SharedDevice, shared_device
from bellrock.target.xegpu.memory import Block, Frame

KEPT_PREPARATIONS = 2
"""Sets of prepared values that stay on the device: the last, and one that a call may still use."""

FLUSH_FACTOR = 4
"""Times the size of the caches that is written to evict what they hold."""

_Result = TypeVar("_Result")


class XegpuLoaded(Loaded):
    """A program on a device. Its code and its memory there are freed with the object."""

    def __init__(self, artifact: Artifact, shared: SharedDevice | None = None) -> None:
        """Link the host code and load the device modules.

        Args:
            artifact: whose objects are containers.
            shared: the device to use; None is the one that the environment asks for.

        Raises:
            CompileError: the host code cannot be linked.
            DeviceError: there is no such device, or it refuses a module.
        """
        objects = [unpack(code) for code in artifact.objects]
        preparation = artifact.preparation
        entries = [artifact.entry] + ([preparation.entry] if preparation else [])
        self._artifact = artifact
        self._host = HostCode([each.host for each in objects], entries=entries)
        self._modules = tuple(module for each in objects for module in each.modules)
        self._shared = shared or shared_device()
        self.timing_note = self._shared.device.timing_note
        self._warnings: list[str] = []
        self._program: Program | None = None
        self._program_generation = -1
        self._prepared: OrderedDict[tuple[int, ...], list[Block]] = OrderedDict()
        self._attempt(self._loaded_program)

    def device_seconds(self) -> float | None:
        """Return the time of the last call's kernels, without copies, by the device's clock."""
        return None if self.timing_note else self._shared.device.seconds

    def flush_caches(self, cache_bytes: int) -> None:
        """Copy within device memory what the caches cannot hold."""
        size = FLUSH_FACTOR * cache_bytes
        with self._shared.session(), self._shared.memory.frame() as frame:
            one, two = frame.take(size), frame.take(size)
            self._loaded_program().run([Copy(two.address, one.address, size)])

    def warnings(self) -> tuple[str, ...]:
        """Return which requests were made a second time, and why."""
        return tuple(self._warnings)

    def mutants(self) -> Iterator[CodeMutant[Loaded]]:
        """Yield the program with mistakes in device code: only an interpreter finds them all."""
        from bellrock.target.xegpu.mutants import mutants_of

        if not self._shared.device.interprets:
            yield CodeMutant(
                name="device-code",
                program=None,
                reason=f"mistakes in device code are made for the interpreter: {VARIABLE}=simt",
            )
            return
        for mutant in mutants_of(self._modules):
            program = self._with(mutant.modules) if mutant.modules else None
            yield CodeMutant(name=mutant.name, program=program, reason=mutant.reason)

    def _with(self, modules: Sequence[DeviceModule]) -> XegpuLoaded:
        """Return the same program with other device modules."""
        left = list(modules)
        objects = []
        for code in self._artifact.objects:
            whole = unpack(code)
            count = len(whole.modules)
            objects.append(replace(whole, modules=tuple(left[:count])).pack())
            del left[:count]
        return XegpuLoaded(replace(self._artifact, objects=tuple(objects)), self._shared)

    def call(self, addresses: Sequence[int]) -> None:
        """Run once on host addresses: arguments, prepared values, results, workspace."""
        self._attempt(lambda: self._call(addresses))

    def prepare(self, addresses: Sequence[int]) -> None:
        """Prepare once: host addresses of fixed arguments, values, workspace.

        The values come to the host too: a device that dies takes its copies with it.
        """
        self._attempt(lambda: self._prepare(addresses))

    def close(self) -> None:
        """Free what the program has on the device; it cannot be called again."""
        self.__del__()
        with self._shared.session():
            pass

    def __del__(self) -> None:
        """Leave what the program has on the device to the device's next user.

        Objects are freed at any point of any thread: the device may be at work.
        """
        if not hasattr(self, "_prepared"):  # the constructor did not get that far
            return
        blocks = [block for each in self._prepared.values() for block in each]
        self._shared.leave(self._program, self._program_generation, blocks)
        self._prepared.clear()
        self._program = None

    def _attempt(self, work: Callable[[], _Result]) -> _Result:
        """Do device work; if the device dies over it, once more on a fresh one."""
        with self._shared.session():
            try:
                return work()
            except DeviceLostError as error:
                self._warnings.append(f"{error.what}; tried again on a fresh device")
                return work()

    def _is_current(self) -> bool:
        return self._program_generation == self._shared.device.generation

    def _loaded_program(self) -> Program:
        if self._program is None or not self._is_current():
            self._prepared.clear()
            self._program = self._shared.device.load(self._modules)
            self._program_generation = self._shared.device.generation
        return self._program

    def _call(self, addresses: Sequence[int]) -> None:
        about, memory = self._artifact, self._shared.memory
        value_bytes = about.preparation.value_bytes if about.preparation else ()
        inputs = len(about.argument_bytes)
        values = inputs + len(value_bytes)
        results = values + len(about.result_bytes)
        _check_count(addresses, results + 1)
        program = self._loaded_program()
        prepared = self._values(tuple(addresses[inputs:values]), value_bytes)
        with memory.frame() as frame:
            given = zip(addresses[:inputs], about.argument_bytes, strict=True)
            arguments = [frame.filled(host, size) for host, size in given]
            outputs = [frame.take(size) for size in about.result_bytes]
            blocks = [*arguments, *prepared, *outputs, frame.take(about.workspace_bytes)]
            program.run(self._recorded(about.entry, blocks, frame))
            for host, block in zip(addresses[values:results], outputs, strict=True):
                memory.download(host, block)

    def _recorded(self, entry: str, blocks: Sequence[Block], frame: Frame) -> list[Command]:
        places = [block.address for block in blocks]
        return self._host.record(entry, places, lambda size: frame.take(size).address)

    def _values(self, hosts: tuple[int, ...], sizes: Sequence[int]) -> list[Block]:
        """Return prepared values on the device, copying them there if they are not."""
        if not hosts:
            return []
        blocks = self._prepared.get(hosts)
        if blocks is None:
            memory = self._shared.memory
            blocks = [memory.take(size) for size in sizes]
            self._keep(hosts, blocks)
            for host, block in zip(hosts, blocks, strict=True):
                memory.upload(block, host)
        return blocks

    def _keep(self, hosts: tuple[int, ...], blocks: list[Block]) -> None:
        memory = self._shared.memory
        for block in self._prepared.pop(hosts, ()):
            memory.give_back(block)
        self._prepared[hosts] = blocks
        while len(self._prepared) > KEPT_PREPARATIONS:
            for block in self._prepared.popitem(last=False)[1]:
                memory.give_back(block)

    def _prepare(self, addresses: Sequence[int]) -> None:
        about = self._artifact.preparation
        if about is None:
            Loaded.prepare(self, addresses)
            return
        fixed = len(about.arguments)
        _check_count(addresses, fixed + len(about.value_bytes) + 1)
        sizes = [self._artifact.argument_bytes[i] for i in about.arguments]
        program, memory = self._loaded_program(), self._shared.memory
        hosts = tuple(addresses[fixed:-1])
        with memory.frame() as frame:
            arguments = [frame.filled(h, n) for h, n in zip(addresses[:fixed], sizes, strict=True)]
            values = [memory.take(size) for size in about.value_bytes]
            self._keep(hosts, values)
            blocks = [*arguments, *values, frame.take(about.workspace_bytes)]
            program.run(self._recorded(about.entry, blocks, frame))
            for host, block in zip(hosts, values, strict=True):
                memory.download(host, block)


def _check_count(addresses: Sequence[int], wanted: int) -> None:
    if len(addresses) != wanted:
        raise DeviceError(
            "a program was called with another number of addresses than it takes",
            got=len(addresses),
            allowed=str(wanted),
            hint="compile it again: its artifact does not state the sizes of its arguments",
        )
