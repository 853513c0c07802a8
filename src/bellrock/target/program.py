"""A program on its way from code to calls.

Flows in: what a target's `emit` made of each function. Flows out: `Artifact`, all code of a
program, which files and caches keep; and `Loaded`, the same in memory, called on raw addresses.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bellrock.errors import CompileError


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelInfo:
    """What became of one kernel; a row of the record."""

    name: str
    """Symbol, which ends in the hash of its contents."""
    motif: str
    """Kind of its anchor, e.g. `contraction`."""
    calls: int
    """Call sites in the host function (loops count once)."""
    path: str
    """How it was lowered: `vector` (by schedule), `loops` (left to LLVM)."""
    vectorised: bool
    """Whether vector arithmetic is in the final code (read off it, not assumed)."""
    parallel: bool
    """Whether it runs on all cores (read off the final code)."""
    compile_seconds: float
    cached: bool
    """Whether it came from the cache."""
    figures: Mapping[str, int] = field(default_factory=dict)
    """What can be counted in its code, as in `Emitted`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PeakProgram:
    """Nothing but a device's fastest operations of one dtype, on all that it has, for some ms."""

    run: Callable[[], object]
    seconds: Callable[[], float]
    """How long the last run took."""
    flops: int
    """Operations of one run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Emitted:
    """The code of one function, and what it turned out to be."""

    code: bytes
    vectorised: bool
    """Whether vector arithmetic or vector memory access is in it."""
    parallel: bool
    """Whether it has a parallel region."""
    figures: Mapping[str, int] = field(default_factory=dict)
    """What the target counts in code, for people: instructions, registers, spilled bytes, by name
    with the unit where there is one. Code in a loop counts once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """What a program computes once per set of weights, and keeps."""

    entry: str
    """Symbol that takes one `void **`: addresses of the fixed arguments, values, workspace."""
    arguments: tuple[int, ...]
    """Positions of the fixed arguments among the program's."""
    value_bytes: tuple[int, ...]
    """Sizes of the values, which are the program's further arguments."""
    workspace_bytes: int
    """Scratch memory of one preparation, 64-byte aligned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """Target code, ready to be loaded in any process on a like machine."""

    objects: tuple[bytes, ...]
    """Relocatable objects: the host function first, then one per distinct kernel."""
    entry: str
    """Symbol that takes one `void **`: addresses of arguments, prepared values, results,
    workspace."""
    workspace_bytes: int
    """Scratch memory of one call, 64-byte aligned."""
    preparation: Preparation | None = None
    """None where nothing is prepared."""
    argument_bytes: tuple[int, ...] = ()
    """Sizes of the arguments: what a device with memory of its own has to copy in."""
    result_bytes: tuple[int, ...] = ()
    """Sizes of the results."""


_Program = TypeVar("_Program", covariant=True)
_Other = TypeVar("_Other")


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeMutant(Generic[_Program]):
    """A program with one mistake in its code, made on purpose to check that it is found."""

    name: str
    """Kind of the mistake."""
    program: _Program | None
    """None where the code cannot have such a mistake."""
    reason: str = ""
    """Why it cannot."""

    def of(self, wrap: Callable[[_Program], _Other]) -> CodeMutant[_Other]:
        """Return the same of what is made of the program.

        Args:
            wrap: makes it.
        """
        program = None if self.program is None else wrap(self.program)
        return CodeMutant(name=self.name, program=program, reason=self.reason)


class Loaded(abc.ABC):
    """A program in memory.

    Thread safety: calls from several threads at once are safe if each gives its own results
    and workspace.
    """

    timing_note: str = ""
    """Why times taken here are not those of the device meant; empty where they are."""

    def device_seconds(self) -> float | None:
        """Return how long the kernels of the last call took, by the device's own clock.

        None where the caller's clock is the right one: the device is the host.
        """
        return None

    def flush_caches(self, cache_bytes: int) -> None:  # noqa: B027 (the host's: nothing to do)
        """Evict the device's caches, where they are not the host's.

        Args:
            cache_bytes: size of the largest.
        """

    def warnings(self) -> tuple[str, ...]:
        """Return what went wrong so far and was mended, for the user to know: a line each."""
        return ()

    def mutants(self) -> Iterator[CodeMutant[Loaded]]:
        """Yield this program with one mistake in its code each, where the target can make them."""
        return iter(())

    @abc.abstractmethod
    def call(self, addresses: Sequence[int]) -> None:
        """Run once: addresses of arguments, prepared values, results, then the workspace."""

    def prepare(self, addresses: Sequence[int]) -> None:
        """Prepare once: addresses of the fixed arguments, the values, then the workspace.

        Only called for an artifact that has a `Preparation`.
        """
        raise CompileError("this target loads no preparing code", got=type(self).__name__)
