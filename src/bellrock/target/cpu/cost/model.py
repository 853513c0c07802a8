"""The processor's cost model: one prediction for each class of knobs.

Flows in: a motif, knobs, facts. Flows out: seconds by named terms; None for a class that no
file of this folder predicts, which leaves the choice to the target's default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bellrock.params.cost import Prediction
from bellrock.params.knobs import Knobs
from bellrock.payload.motifs.base import Motif
from bellrock.target.base import Facts
from bellrock.target.cpu.convolution import DirectConvolutionKnobs
from bellrock.target.cpu.cost.blocks import predict_blocks
from bellrock.target.cpu.cost.direct_convolution import predict_direct_convolution
from bellrock.target.cpu.cost.flash_attention import predict_flash_attention
from bellrock.target.cpu.cost.machine import Machine
from bellrock.target.cpu.cost.panels import predict_panels
from bellrock.target.cpu.cost.rows import predict_rows
from bellrock.target.cpu.cost.windows import predict_windows
from bellrock.target.cpu.cost.winograd import predict_winograd
from bellrock.target.cpu.flash_attention import FlashAttentionKnobs
from bellrock.target.cpu.panels import PanelKnobs
from bellrock.target.cpu.params import BlockKnobs
from bellrock.target.cpu.row_params import RowKnobs
from bellrock.target.cpu.windows import WindowKnobs
from bellrock.target.cpu.winograd import WinogradKnobs

Predict = Callable[[Motif, Any, Machine], Prediction | None]
"""Knobs are of the class that the function is registered for."""

PREDICTIONS: Mapping[type[Knobs], Predict] = {
    BlockKnobs: predict_blocks,
    DirectConvolutionKnobs: predict_direct_convolution,
    FlashAttentionKnobs: predict_flash_attention,
    PanelKnobs: predict_panels,
    RowKnobs: predict_rows,
    WindowKnobs: predict_windows,
    WinogradKnobs: predict_winograd,
}
"""By class of knobs."""


class CpuCostModel:
    """See the module's docstring."""

    def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction | None:
        """Return the predicted time of one execution, None of an unknown class of knobs."""
        predict = PREDICTIONS.get(type(knobs))
        return None if predict is None else predict(motif, knobs, Machine.of(facts))


MODEL = CpuCostModel()
