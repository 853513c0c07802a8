"""What the two ends of the OpenCL loader say to each other. All of it is pickled."""

from __future__ import annotations

from dataclasses import dataclass

from bellrock.errors import BellrockError
from bellrock.target.xegpu.container import ArgumentKind
from bellrock.target.xegpu.loaders.base import Command


@dataclass(frozen=True, slots=True)
class Hello:
    """Open the device; the answer is an `About`."""

    allow_gpu: bool
    own_memory: bool
    """Treat a processor as a device with memory of its own, as a GPU is."""


@dataclass(frozen=True, slots=True)
class About:
    """The device that was opened."""

    name: str
    is_gpu: bool
    max_group: int
    slm_bytes: int


@dataclass(frozen=True, slots=True)
class Map:
    """Memory that both ends see; its descriptor follows. The answer is a `Place`."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """A device address."""

    address: int


@dataclass(frozen=True, slots=True)
class Unmap:
    """Give memory back."""

    address: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Copy between memory of a GPU and the part of it that both ends see."""

    address: int
    """That `Map` was answered with."""
    offset_bytes: int
    size_bytes: int
    to_device: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One module to build."""

    name: str
    spirv: bytes
    kernels: tuple[tuple[str, tuple[ArgumentKind, ...]], ...]
    registers: int = 0
    """Of each thread; 0 leaves it to the driver."""


@dataclass(frozen=True, slots=True)
class Build:
    """Make modules ready, under a number for later."""

    number: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Unload the modules of a number."""

    number: int


@dataclass(frozen=True, slots=True)
class Run:
    """Carry out commands with the modules of a number."""

    number: int
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """It is done."""


@dataclass(frozen=True, slots=True)
class Ran:
    """Commands are carried out."""

    seconds: float
    """Of the kernels, by the device's clock."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It was refused; the process goes on."""

    error: BellrockError


Request = Hello | Map | Unmap | Flow | Build | Drop | Run
Answer = About | Place | Done | Ran | Failed
