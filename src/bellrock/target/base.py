"""What a target fills in: the contract between Bellrock and a kind of device.

Flows in: LLVM-dialect (or other final) modules from the pipeline, facts of the machine.
Flows out: code objects, and a `Loaded` program that can be called on raw addresses.
A target is a folder with these names in it and one entry point in `bellrock.targets`.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.errors import UnknownNameError, UsageError
from bellrock.target.facts import Facts
from bellrock.target.program import (
    Artifact,
    CodeMutant,
    Emitted,
    KernelInfo,
    Loaded,
    PeakProgram,
    Preparation,
)

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.params.cost import CostModel
    from bellrock.params.knobs import Knobs
    from bellrock.payload.motif import Motif

__all__ = [
    "MOST_PROPOSALS",
    "Artifact",
    "CodeMutant",
    "Emitted",
    "Facts",
    "KernelInfo",
    "Loaded",
    "PeakProgram",
    "Preparation",
    "Target",
]

MOST_PROPOSALS = 256
"""Candidates of one class that a target proposes, unless it has a way of its own."""


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

    def peak_program(self, dtype: str) -> PeakProgram | None:
        """Return what finds the device's peak at this moment, where the device lets one.

        Clocks change with what runs, by a tenth and more, so a share of the peak means something
        only where the peak is measured beside what is compared with it.

        Args:
            dtype: of the operands, by its name in MLIR.
        """
        del dtype
        return None

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
