"""What a `linalg.generic` says of itself: kinds of its loops, whether it is elementwise.

Flows in: ops. Flows out: plain values.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.dialects.fold_movement import maps_of


def iterators(op: ir.Operation) -> list[str]:
    """Return the iterator types of a linalg.generic: "parallel" or "reduction"."""
    return ["reduction" if "reduction" in str(a) else "parallel"
            for a in ir.ArrayAttr(op.attributes["iterator_types"])]  # fmt: skip


def is_elementwise(op: ir.Operation) -> bool:
    """Whether a generic has parallel loops only, and an identity output."""
    if op.name != "linalg.generic" or "reduction" in iterators(op):
        return False
    output = maps_of(op)[-1]
    return output == ir.AffineMap.get_identity(output.n_dims, output.context)


def init_index(op: ir.Operation) -> int:
    """Return the number of inputs of a linalg op, which is where its inits start."""
    return next(iter(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"])))
