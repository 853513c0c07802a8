"""Which reductions on buffers run along memory, so that they can be summed by vectors.

Flows in: a `linalg.generic` on buffers. Flows out: a `RowReduction`, or None where it is left
to loops that LLVM vectorises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index, iterators
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.vector_math import EXPANSIONS, IN_BINARY64

COMBINERS: dict[str, tuple[str, float]] = {
    "arith.addf": ("add", -0.0), "arith.mulf": ("mul", 1.0),
    "arith.maximumf": ("maximumf", -math.inf), "arith.minimumf": ("minimumf", math.inf),
}  # fmt: skip
"""Kind of `vector.reduction`, and the number that changes nothing."""
ACCUMULATED_BITS = 32
"""Narrower sums are left as they are."""
FUNCTION_BITS = 32
"""Wider functions stay calls of the C library."""
_LANEWISE = frozenset({
    "arith.addf", "arith.subf", "arith.mulf", "arith.divf", "arith.negf", "arith.maximumf",
    "arith.minimumf", "arith.maxnumf", "arith.minnumf", "arith.extf", "arith.truncf",
    "arith.cmpf", "arith.select", "math.absf", "math.fma",
})  # fmt: skip
FUNCTIONS = frozenset(EXPANSIONS) - IN_BINARY64
"""Functions that become arithmetic on vectors of the width that they are given in."""
_DYNAMIC = ir.ShapedType.get_dynamic_size()


@dataclass(frozen=True, slots=True)
class RowReduction:
    """A reduction that can be lowered."""

    op: ir.Operation
    combiners: tuple[ir.Operation | None, ...]
    """That each output is made by; None where what is reduced is kept as well."""
    length: int
    lanes: int

    @property
    def calls(self) -> bool:
        """Whether it computes a function of each element."""
        return any(o.operation.name in FUNCTIONS for o in self.op.regions[0].blocks[0].operations)


def row_reduction(op: ir.Operation, vector_bits: int) -> RowReduction | None:
    """Return how a generic is lowered by vectors.

    Args:
        op: on buffers.
        vector_bits: of the processor's registers.
    """
    if len(op.results) or iterators(op)[-1:] != ["reduction"]:
        return None
    if not all(_is_walked(v, m) for v, m in zip(op.operands, maps_of(op), strict=True)):
        return None
    block = op.regions[0].blocks[0]
    combiners = _combiners(op, block)
    inner = [o.operation for o in block.operations][:-1]
    if combiners is None or any(not _is_lanewise(o) for o in inner):
        return None
    floats = [v.type for o in inner for v in (*o.operands, *o.results) if _is_float(v.type)]
    widest = max(ir.FloatType(kind).width for kind in floats)
    lanes = vector_bits // widest
    row = RowReduction(op, combiners, loop_sizes(op)[len(iterators(op)) - 1], lanes)
    return row if row.length >= lanes and not (row.calls and widest > FUNCTION_BITS) else None


def _is_float(kind: ir.Type) -> bool:
    return isinstance(kind, ir.FloatType)


def _is_walked(value: ir.Value, access: ir.AffineMap) -> bool:
    """Whether an operand runs along the last loop by steps of one, or is the same all along."""
    if not isinstance(value.type, ir.MemRefType):
        return _is_float(value.type)
    kind = ir.MemRefType(value.type)
    if _DYNAMIC in kind.shape or not _is_float(kind.element_type):
        return False
    if not all(isinstance(e, ir.AffineDimExpr) for e in access.results):
        return False
    dims = [ir.AffineDimExpr(e).position for e in access.results]
    last = access.n_dims - 1
    if len(set(dims)) != len(dims) or last in dims[:-1]:
        return False
    return not dims or dims[-1] != last or kind.get_strides_and_offset()[0][-1] == 1


def _combiners(op: ir.Operation, block: ir.Block) -> tuple[ir.Operation | None, ...] | None:
    """Return the op that makes each output, if it does nothing but combine."""
    first = init_index(op)
    yielded = list(list(block.operations)[-1].operation.operands)
    found: list[ir.Operation | None] = []
    outputs = zip(yielded, list(block.arguments)[first:], maps_of(op)[first:], strict=True)
    for value, argument, access in outputs:
        if runs_along(access):
            if any(True for _ in argument.uses):
                return None
            found.append(None)
            continue
        combiner = _combiner(value, argument)
        if combiner is None:
            return None
        found.append(combiner)
    return tuple(found) if any(c is not None for c in found) else None


def _combiner(value: ir.Value, argument: ir.Value) -> ir.Operation | None:
    """Return the op that combines an old value with a new one, if it may do so in any order."""
    if isinstance(value.owner, ir.Block) or value.owner.operation.name not in COMBINERS:
        return None
    combiner = value.owner.operation
    uses = [u.owner.operation for u in argument.uses]
    relaxed = "reassoc" in str(combiner.attributes["fastmath"])
    wide = ir.FloatType(value.type).width >= ACCUMULATED_BITS
    alone = uses == [combiner] and len(list(value.uses)) == 1
    return combiner if alone and relaxed and wide else None


def _is_lanewise(op: ir.Operation) -> bool:
    values = (*op.operands, *op.results)
    return op.name == "arith.constant" or (
        op.name in _LANEWISE | FUNCTIONS
        and all(_is_float(v.type) or isinstance(v.type, ir.IntegerType) for v in values)
    )


def runs_along(access: ir.AffineMap) -> bool:
    """Whether the last loop is an operand's last dimension."""
    last = [ir.AffineDimExpr(e).position for e in access.results][-1:]
    return last == [access.n_dims - 1]
