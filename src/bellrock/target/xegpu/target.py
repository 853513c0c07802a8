"""The target `xegpu`: what this folder has, under the names that every target has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Artifact, Emitted, Facts, Loaded, Target

if TYPE_CHECKING:
    from torch_mlir import ir

    from bellrock.params.cost import CostModel
    from bellrock.params.knobs import Knobs


@dataclass(frozen=True)
class XeGpuTarget(Target):
    """Intel GPUs with matrix engines, through SPIR-V."""

    device: str = ""
    """As in `devices.yaml`; empty for the one in this machine, else the default."""
    name = "xegpu"

    @property
    def device_name(self) -> str:
        """The device that is compiled for."""
        from bellrock.target.xegpu.facts import DEFAULT, detected_device

        return self.device or detected_device() or DEFAULT

    @property
    def full_name(self) -> str:
        return f"{self.name}:{self.device_name}"

    def facts(self) -> Facts:
        """Return published numbers of the device."""
        from bellrock.target.xegpu.facts import device_facts

        return device_facts(self.device_name)

    def devices(self) -> tuple[str, ...]:
        from bellrock.target.xegpu.devices import all_devices

        return tuple(all_devices().devices)

    def on(self, device: str) -> Target:
        from bellrock.target.xegpu.devices import device_named

        named = device_named(device)
        return super().on(device) if named is None else XeGpuTarget(device=named)

    def known_features(self) -> frozenset[str]:
        """Return the features of all devices of the file."""
        from bellrock.target.xegpu.devices import all_devices
        from bellrock.target.xegpu.facts import FEATURES

        return FEATURES | {core.chip for core in all_devices().architectures.values()}

    def default_pipeline(self) -> str:
        """Return the pipeline for every payload."""
        return "default"

    def pipelines(self) -> Path:
        """Return the folder `pipelines/`."""
        return Path(__file__).parent / "pipelines"

    def knobs(self, motif: Motif) -> tuple[type[Knobs], ...]:
        """Return the ways to compute a motif; there is one for everything that has loops."""
        from bellrock.target.xegpu.params import knobs_for

        return knobs_for(motif)

    def all_knobs(self) -> tuple[type[Knobs], ...]:
        """Return the classes of `params.py`."""
        from bellrock.target.xegpu.params import ALL_KNOBS

        return ALL_KNOBS

    def default_choice(self, motif: Motif) -> Knobs | None:
        """Return the default, which fits any shape."""
        from bellrock.target.xegpu.params import default_choice

        return default_choice(motif, self.facts())

    def proposals(self, motif: Motif, default: Knobs) -> Iterator[Knobs]:
        """Yield tiles of all ways."""
        from bellrock.target.xegpu.proposals import proposals

        return proposals(motif, self.knobs(motif), self.facts())

    def cost_model(self) -> CostModel:
        """Return the analytic model of the folder `cost/`."""
        from bellrock.target.xegpu.cost.model import MODEL

        return MODEL

    def programs(self) -> Mapping[str, str]:
        """Return `ocloc`, where it is on the PATH."""
        from bellrock.target.xegpu.ocloc import ocloc_version

        return ocloc_version()

    def emit(self, module: ir.Module, *, entries: Mapping[str, str]) -> Emitted:
        """Compile kernels to SPIR-V, and what launches them for this processor."""
        from bellrock.target.xegpu.facts import chip_of
        from bellrock.target.xegpu.lower import emit

        return emit(module, entries=entries, chip=chip_of(self.device_name), facts=self.facts())

    def load(self, artifact: Artifact) -> Loaded:
        """Load onto the device that `BELLROCK_XEGPU_LOADER` names, or the best there is."""
        from bellrock.target.xegpu.loading import XegpuLoaded

        return XegpuLoaded(artifact)


XEGPU = XeGpuTarget()
