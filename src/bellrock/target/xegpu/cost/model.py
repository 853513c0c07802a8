"""The cost model of Intel GPUs: one prediction for each class of knobs.

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
from bellrock.target.xegpu.attention import DpasAttentionKnobs
from bellrock.target.xegpu.cost.attention import predict_attention
from bellrock.target.xegpu.cost.dpas import predict_dpas
from bellrock.target.xegpu.cost.machine import Machine
from bellrock.target.xegpu.cost.simt import predict_simt
from bellrock.target.xegpu.dpas import DpasKnobs
from bellrock.target.xegpu.simt import SimtKnobs

Predict = Callable[[Motif, Any, Machine], Prediction | None]
"""Knobs are of the class that the function is registered for."""

PREDICTIONS: Mapping[type[Knobs], Predict] = {
    DpasAttentionKnobs: predict_attention,
    DpasKnobs: predict_dpas,
    SimtKnobs: predict_simt,
}
"""By class of knobs."""


class XeGpuCostModel:
    """See the module's docstring."""

    def predict(self, motif: Motif, knobs: Knobs, facts: Facts) -> Prediction | None:
        """Return the predicted time of one execution, None of an unknown class of knobs."""
        predict = PREDICTIONS.get(type(knobs))
        return None if predict is None else predict(motif, knobs, Machine.of(facts))


MODEL = XeGpuCostModel()
