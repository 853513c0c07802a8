"""Loops of `scf` that the payload itself has: recurrences over a sequence.

Flows in: `scf.for`, `scf.while`, `scf.forall`, `scf.parallel`. Flows out: a `Motif` with the trip
count (flops and bytes are those of the ops inside, so the loop's own are zero), or None.
"""

from __future__ import annotations

import math

from torch_mlir import ir

from bellrock.payload.motifs.base import DYNAMIC, Motif, MotifKind, Operand, Side
from bellrock.payload.motifs.structured import location_of, shape_and_dtype

_LOOPS = frozenset({"scf.for", "scf.while", "scf.forall", "scf.parallel"})


def match(op: ir.Operation) -> Motif | None:
    """Return the motif if the op is a loop."""
    if op.name not in _LOOPS:
        return None
    trips = _trips(op)
    count = DYNAMIC if DYNAMIC in trips else math.prod(trips)
    carried = [shape_and_dtype(r.type) for r in op.results]
    iterator = "reduction" if op.name in ("scf.for", "scf.while") else "parallel"
    return Motif(
        kind=MotifKind.LOOP,
        op=op.name,
        dims={"trips": count},
        lists={"trips": trips},
        operands=tuple(
            Operand(
                side=Side.OUTPUT,
                dtype=dtype,
                shape=shape,
                layout="".join(f"p{i}" for i in range(len(shape))),
            )
            for shape, dtype in carried
        ),
        loops=trips,
        iterators=(iterator,) * len(trips),
        roles=(iterator,) * len(trips),
        location=location_of(op),
    )


def _trips(op: ir.Operation) -> tuple[int, ...]:
    """Return the trip counts, `DYNAMIC` where the bounds are not constants."""
    if op.name == "scf.for":
        return (_count(*(_constant(v) for v in list(op.operands)[:3])),)
    if op.name == "scf.forall":
        bounds = (
            list(ir.DenseI64ArrayAttr(op.attributes[name]))
            for name in ("staticLowerBound", "staticUpperBound", "staticStep")
        )
        dynamic = ir.ShapedType.get_dynamic_size()
        return tuple(
            _count(*(None if b == dynamic else b for b in bound))
            for bound in zip(*bounds, strict=True)
        )
    if op.name == "scf.parallel":
        rank = len(op.regions[0].blocks[0].arguments)
        values = [_constant(v) for v in list(op.operands)[: 3 * rank]]
        return tuple(_count(*values[i::rank]) for i in range(rank))
    return (DYNAMIC,)


def _count(lower: int | None, upper: int | None, step: int | None) -> int:
    if lower is None or upper is None or not step:
        return DYNAMIC
    return max(0, math.ceil((upper - lower) / step))


def _constant(value: ir.Value) -> int | None:
    if isinstance(value, ir.BlockArgument):
        return None
    owner = ir.OpResult(value).owner
    if owner.name != "arith.constant":
        return None
    attribute = owner.attributes["value"]
    return attribute.value if isinstance(attribute, ir.IntegerAttr) else None
