"""The target `cpu`: what this folder has, under the names that every target has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Artifact, Emitted, Facts, Loaded, PeakProgram, Target

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.params.cost import CostModel
    from bellrock.params.knobs import Knobs


class CpuTarget(Target):
    """The processor of this machine."""

    name = "cpu"

    def facts(self) -> Facts:
        """Return what the system and LLVM say of the processor."""
        from bellrock.target.cpu.facts import host_facts

        return host_facts()

    def known_features(self) -> frozenset[str]:
        """Return the features that LLVM knows of this architecture, here or not."""
        from bellrock.target.cpu.facts import architecture_features

        return architecture_features()

    def measured_facts(self, *, cache_dir: Path) -> Facts:
        """Return the facts with rates, measured once for each cache."""
        from bellrock.target.cpu.rates import with_rates

        return with_rates(self.facts(), folder=cache_dir)

    def peak_program(self, dtype: str) -> PeakProgram | None:
        """Return chains of multiply-adds on all cores, for dtypes whose peak is known."""
        from bellrock.target.cpu.rates import peak_program

        return peak_program(self.facts(), dtype)

    def default_pipeline(self) -> str:
        """Return the pipeline for every payload."""
        return "default"

    def pipelines(self) -> Path:
        """Return the folder `pipelines/`."""
        return Path(__file__).parent / "pipelines"

    def schedules(self) -> tuple[str, ...]:
        """Return the package of this target's schedules."""
        return ("bellrock.target.cpu.schedule",)

    def knobs(self, motif: Motif) -> tuple[type[Knobs], ...]:
        """Return the ways to compute a motif; there is one for everything that has loops."""
        from bellrock.target.cpu.params import knobs_for

        return knobs_for(motif)

    def all_knobs(self) -> tuple[type[Knobs], ...]:
        """Return the classes of `params.py`."""
        from bellrock.target.cpu.params import ALL_KNOBS

        return ALL_KNOBS

    def default_choice(self, motif: Motif) -> Knobs | None:
        """Return the default, which fits any shape."""
        from bellrock.target.cpu.params import default_choice

        return default_choice(motif, self.facts())

    def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
        """Yield what lies around the default, and other ways."""
        from bellrock.target.cpu.proposals import proposals

        return proposals(motif, default, self.facts())

    def cost_model(self) -> CostModel:
        """Return the analytic model of the folder `cost/`."""
        from bellrock.target.cpu.cost.model import MODEL

        return MODEL

    def prepare_process(self) -> bool:
        """Load OpenMP, which torch then shares, or find the one that torch has brought."""
        from bellrock.target.cpu.openmp import openmp_runtime

        return openmp_runtime().shared

    def emit(self, module: ir.Module, *, entries: Mapping[str, str]) -> Emitted:
        """Compile by LLVM for this processor."""
        from bellrock.target.native.code import emit_object

        return emit_object(module, entries=entries)

    def load(self, artifact: Artifact) -> Loaded:
        """Link into this process."""
        from bellrock.target.cpu.memory import CpuLoaded

        return CpuLoaded(artifact)


CPU = CpuTarget()
