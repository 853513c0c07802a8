"""What may share a kernel with an anchor: the way that was chosen to compute it has a say.

Flows in: an op, and the anchor of the kernel that it could join. Flows out: whether it may. A
lowering by hand takes some ops only; others are kernels of their own, so that none of them takes
the anchor away from its way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch_mlir import ir

from bellrock.dialects.given_choice import knobs_of
from bellrock.dialects.matrix_engine.fusing import takes_beside_product

_TAKES: Mapping[str, Callable[[ir.Operation], bool]] = {"dpas": takes_beside_product}
"""By the class of knobs that was chosen; classes that are not here take everything."""


def may_join(op: ir.Operation, anchor: ir.Operation | None) -> bool:
    """Whether an op may be in the kernel of an anchor.

    Args:
        op: what makes something for the anchor, or reads what comes of it.
        anchor: with its choice, if one was made.
    """
    takes = _TAKES.get(knobs_of(anchor) or "")
    return takes is None or takes(op)
