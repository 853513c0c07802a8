"""What a target fills in: the contract between Bellrock and a kind of device.

Flows in: LLVM-dialect (or other final) modules from the pipeline, facts of the machine.
Flows out: code objects, and a `Loaded` program that can be called on raw addresses.
A target is a folder with these names in it and one entry point in `bellrock.targets`.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from bellrock.errors import CompileError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.params.cost import CostModel
    from bellrock.params.knobs import Knobs
    from bellrock.payload.motif import Motif


MOST_PROPOSALS = 256
"""Candidates of one class that a target proposes, unless it has a way of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of one device; every unit is in the field's name."""

    device: str
    """Name for people, e.g. the processor's model name."""
    cores: int
    """Units that run work of their own side by side: a processor's cores that this process may
    use; of a GPU what shares one L1 cache (Xe-cores, multiprocessors)."""
    vector_bits: int
    """Width of one vector register."""
    vector_registers: int
    """Vector registers of one thread; where that can be set, the most."""
    cache_bytes: Mapping[str, int]
    """By level, as far as known; `core_caches` says which of them each core has."""
    features: frozenset[str]
    """What code may use, e.g. instruction sets by their LLVM names: `avx512f`, `avx512bf16`."""
    core_caches: frozenset[str] = frozenset({"L1d", "L2"})
    """Levels of `cache_bytes` that each core has for itself; all share the others."""
    clock_hz: float = 0.0
    """0 where it is not known or not fixed."""
    chip: str = ""
    """What passes of a pipeline call the device, as `${target.chip}`; empty where none asks."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Whole numbers that only this kind of device has, e.g. `sub_group_size`, `slm_bytes`;
    constraints of knobs read them by name. The target's files say what they mean."""
    peak_flops_per_s: Mapping[str, float] = field(default_factory=dict)
    """Per dtype, all cores; measured or computed, see `source`."""
    bandwidth_bytes_per_s: Mapping[str, float] = field(default_factory=dict)
    """Per memory level (`DRAM`, `L3`, ...), all cores."""
    core_peak_flops_per_s: Mapping[str, float] = field(default_factory=dict)
    """Per dtype, one core while the others rest (its clock may then be higher)."""
    core_bandwidth_bytes_per_s: Mapping[str, float] = field(default_factory=dict)
    """Per memory level, one core while the others rest."""
    source: str = ""
    """Where the numbers come from."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each number comes from that was looked up, by the name of the field (or of its key)."""

    def key(self) -> str:
        """Return a text that is equal where everything that choices depend on is."""
        about = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in ((f.name, getattr(self, f.name)) for f in fields(self))
            if name not in {"source", "sources"}
        }
        return repr(
            {n: sorted(v.items()) if isinstance(v, Mapping) else v for n, v in about.items()}
        )


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


class Target(abc.ABC):
    """One kind of device. Stateless; facts are looked up on first use."""

    name: str
    """As in `--target`, and the name of the entry point."""

    @property
    def full_name(self) -> str:
        """The name by which another process finds this target for this device: `name:device`."""
        return self.name

    @abc.abstractmethod
    def facts(self) -> Facts:
        """Return the facts of the device in this machine (or of the one modelled)."""

    def devices(self) -> tuple[str, ...]:
        """Return the names of the devices that can be compiled for, here or not.

        None at all where it is always the device of this machine.
        """
        return ()

    def on(self, device: str) -> Target:
        """Return this target for a device.

        Args:
            device: one of `devices()`, or another name of one.

        Raises:
            UnknownNameError: there is no such device.
            UsageError: there is nothing to choose from.
        """
        if not self.devices():
            raise UsageError(
                f"{self.name} compiles for the device of this machine only",
                got=device,
                hint="leave --device out",
            )
        raise UnknownNameError(f"device of {self.name}", device, self.devices())

    def known_features(self) -> frozenset[str] | None:
        """Return every feature that devices of this kind may have, for checks of names.

        None where that cannot be told; conditions on features are then not checked.
        """
        return None

    def measured_facts(self, *, cache_dir: Path) -> Facts:
        """Return the facts with peak and bandwidths measured, where the device lets one.

        May take seconds; nothing that decides how code is compiled may depend on it.

        Args:
            cache_dir: where measurements may be kept.
        """
        del cache_dir
        return self.facts()

    @abc.abstractmethod
    def default_pipeline(self) -> str:
        """Return the name of the pipeline that lowers every payload."""

    @abc.abstractmethod
    def pipelines(self) -> Path:
        """Return the folder of this target's pipeline descriptors."""

    @abc.abstractmethod
    def knobs(self, motif: Motif) -> tuple[type[Knobs], ...]:
        """Return the classes of parameters of a motif: one for each way to compute it.

        In no order. None at all where there is nothing to choose.
        """

    def all_knobs(self) -> tuple[type[Knobs], ...]:
        """Return every class of parameters that `knobs` may return, for checks of names."""
        return ()

    @abc.abstractmethod
    def default_choice(self, motif: Motif) -> Knobs | None:
        """Return parameters that are legal for any shape of this motif; None as `knobs` does."""

    def check_choice(self, motif: Motif, choice: Knobs) -> None:
        """Raise `SelectionError` naming the constraint that a choice breaks."""
        choice.validate(motif, self.facts())

    def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
        """Yield the parameters of a motif that are worth a prediction or a measurement.

        A bounded number, deterministic; some may be illegal (a tile that is a little too large),
        so that it can be said which constraint it is that keeps a motif from being faster.

        Args:
            motif: to choose for.
            default: what `default_choice` returns for it; need not be proposed.
        """
        facts = self.facts()
        for knobs in self.knobs(motif):
            yield from itertools.islice(knobs.candidates(motif, facts), MOST_PROPOSALS)

    def cost_model(self) -> CostModel | None:
        """Return what predicts the time of a choice, if the target has such a model."""
        return None

    def schedules(self) -> tuple[str, ...]:
        """Return the packages of schedules that only this target has."""
        return ()

    def programs(self) -> Mapping[str, str]:
        """Return the programs on this machine that help to make code, each with its version.

        They belong to the toolchain, in records and in keys of caches.
        """
        return {}

    @abc.abstractmethod
    def emit(self, module: ir.Module, *, entries: Mapping[str, str]) -> Emitted:
        """Turn a fully lowered module into target code.

        Args:
            module: as the target's pipeline leaves it; must not be changed.
            entries: functions to make callable as `void (void **addresses)`, each with the
                symbol to do it under: the host functions. Empty for a kernel, which the host
                functions call by its own symbol.
        """

    def prepare_process(self) -> bool:
        """Load what has to be in a process before torch is.

        Returns:
            Whether it came in time; False where torch had been imported already.
        """
        return True

    def entry_symbol(self) -> str:
        """Return the symbol under which the entry function is made callable."""
        return "bellrock_entry"

    @abc.abstractmethod
    def load(self, artifact: Artifact) -> Loaded:
        """Link and load an artifact into this process."""
