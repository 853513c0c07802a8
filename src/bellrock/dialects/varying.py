"""Which values in a generic's body differ at each iteration.

Flows in: a linalg.generic. Flows out: the values that depend on an operand which every loop
indexes. What is left (a row's maximum, the root of its variance) is computed once in a row.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.dialects.fold_movement import maps_of


def varying_values(op: ir.Operation) -> set[ir.Value]:
    """Return arguments and results in the body that are new at each iteration."""
    block = op.regions[0].blocks[0]
    found = {
        argument
        for argument, access in zip(block.arguments, maps_of(op), strict=True)
        if sum(isinstance(e, ir.AffineDimExpr) for e in access.results) == access.n_dims
    }
    for inner in (o.operation for o in block.operations):
        if inner.name == "linalg.index" or any(v in found for v in inner.operands):
            found.update(inner.results)
    return found
