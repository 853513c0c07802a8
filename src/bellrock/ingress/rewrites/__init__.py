"""PyTorch ops in terms of simpler ones, spelled for what torch-mlir makes of them.

Flows in: the arguments of an op. Flows out: the same values as the op's own kernel, up to
rounding. Each file holds one family of ops and lists its decompositions in `REWRITES`; one
that returns `NotImplemented` leaves the call to the op's next decomposition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch._ops import OpOverload

from bellrock.ingress.rewrites import (
    elementwise,
    movement,
    normalisation,
    order,
    product,
    reduction,
    scatter,
    window,
)

REWRITES: Mapping[OpOverload, Callable[..., Any]] = {
    **elementwise.REWRITES,
    **movement.REWRITES,
    **normalisation.REWRITES,
    **order.REWRITES,
    **product.REWRITES,
    **reduction.REWRITES,
    **scatter.REWRITES,
    **window.REWRITES,
}
"""All decompositions of this folder, by op."""
