"""The baseline `eager`: PyTorch as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bellrock.bench.baseline import Baseline, Prepared

if TYPE_CHECKING:
    import torch


class Eager(Baseline):
    """Calls the model."""

    name = "eager"

    def prepare(
        self, model: torch.nn.Module, inputs: Sequence[object], *, folder: Path
    ) -> Prepared:
        """See `Baseline.prepare`."""
        del folder
        arguments = tuple(inputs)
        return Prepared(call=lambda: model(*arguments), compile_seconds=0.0)


EAGER = Eager()
