"""The door to motifs: `find_motif(op)`, for the inspector and for selection.

Flows in: one MLIR op. Flows out: its `Motif`, or None where it computes and moves nothing
(views, constants, terminators) or is not a kind that is known.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motifs import (
    attention,
    contraction,
    convolution,
    elementwise,
    loop,
    movement,
    pooling,
    reduction,
    scan,
    softmax,
)
from bellrock.payload.motifs.base import DYNAMIC, Motif, MotifKind, Operand, Side
from bellrock.payload.motifs.structured import read_structured

__all__ = ["DYNAMIC", "Motif", "MotifKind", "Operand", "Side", "find_motif"]

_STRUCTURED = (
    attention.match,
    contraction.match,
    convolution.match,
    pooling.match,
    reduction.match,
    elementwise.match,
)
"""In order; the earlier is the more particular."""
_OTHERS = {
    "tensor": movement.match,
    "memref": movement.match,
    "tm_tensor": lambda op: scan.match(op) or movement.match(op),
    "scf": loop.match,
}
"""By dialect."""


def find_motif(op: ir.Operation | ir.OpView) -> Motif | None:
    """Return the motif of one op, found by its structure and not by its name.

    Args:
        op: any op; ops inside it are not looked at (a loop's motif is the loop alone).

    Returns:
        The motif, or None if the op has none.
    """
    operation = op.operation
    dialect = operation.name.partition(".")[0]
    if dialect != "linalg":
        other = _OTHERS.get(dialect)
        return other(operation) if other else None
    structured = read_structured(operation)
    if structured is None:
        return softmax.match(operation) or movement.match(operation)
    for match in _STRUCTURED:
        motif = match(structured)
        if motif is not None:
            return motif
    return None
