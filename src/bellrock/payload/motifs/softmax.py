"""`linalg.softmax`, the one softmax that is a single op.

Flows in: `linalg.softmax`. Flows out: a `Motif`, or None. (Softmax as several ops is a pattern:
see `bellrock.payload.pattern`.)
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motifs.base import DYNAMIC, Motif, MotifKind, Operand, Side, product
from bellrock.payload.motifs.structured import location_of, shape_and_dtype

FLOPS_PER_ELEMENT = 5
"""Maximum, subtraction, exponential, sum and division, once each."""


def match(op: ir.Operation) -> Motif | None:
    """Return the motif of a `linalg.softmax`."""
    if op.name != "linalg.softmax":
        return None
    axis = ir.IntegerAttr(op.attributes["dimension"]).value
    sides = (Side.INPUT, Side.OUTPUT)
    kinds = ["reduction" if i == axis else "parallel" for i in range(_rank(op))]
    letters = ["r0" if i == axis else f"p{i - (i > axis)}" for i in range(_rank(op))]
    operands = tuple(
        Operand(side=side, dtype=dtype, shape=shape, layout="".join(letters))
        for side, (shape, dtype) in zip(
            sides, (shape_and_dtype(v.type) for v in op.operands), strict=True
        )
    )
    shape = operands[0].shape
    others = tuple(s for i, s in enumerate(shape) if i != axis)
    points = product(shape)
    return Motif(
        kind=MotifKind.SOFTMAX,
        op=op.name,
        dims={"parallel": product(others), "reduced": shape[axis]},
        lists={"parallel": others, "reduced": (shape[axis],)},
        operands=operands,
        accumulator=operands[1].dtype,
        loops=shape,
        iterators=tuple(kinds),
        roles=tuple(kinds),
        flops=None if points == DYNAMIC else FLOPS_PER_ELEMENT * points,
        bytes_read=operands[0].bytes,
        bytes_written=operands[1].bytes,
        location=location_of(op),
    )


def _rank(op: ir.Operation) -> int:
    return len(shape_and_dtype(op.operands[0].type)[0])
