"""Scans: each element combines with all before it along one dimension (cumulative sums).

Flows in: `tm_tensor.scan`. Flows out: a `Motif`, or None.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motifs.base import DYNAMIC, Motif, MotifKind, Operand, Side, product
from bellrock.payload.motifs.body import read_body
from bellrock.payload.motifs.structured import location_of, shape_and_dtype


def match(op: ir.Operation) -> Motif | None:
    """Return the motif of a `tm_tensor.scan`."""
    if op.name != "tm_tensor.scan":
        return None
    source, *outputs = (shape_and_dtype(v.type) for v in op.operands)
    shape, dtype = source
    axis = ir.IntegerAttr(op.attributes["dimension"]).value
    body = read_body(op.regions[0].blocks[0])
    others = tuple(s for i, s in enumerate(shape) if i != axis)
    letters = ["r0" if i == axis else f"p{i - (i > axis)}" for i in range(len(shape))]
    operands = [Operand(side=Side.INPUT, dtype=dtype, shape=shape, layout="".join(letters))]
    for out_shape, out_dtype in outputs:
        names = letters if len(out_shape) == len(shape) else [x for x in letters if x != "r0"]
        operands.append(
            Operand(side=Side.OUTPUT, dtype=out_dtype, shape=out_shape, layout="".join(names))
        )
    points = product(shape)
    written = [o.bytes for o in operands[1:]]
    return Motif(
        kind=MotifKind.SCAN,
        op=op.name,
        variant=body.combiner(0, 1).name,
        dims={"parallel": product(others), "length": shape[axis]},
        lists={"parallel": others, "length": (shape[axis],)},
        operands=tuple(operands),
        accumulator=operands[1].dtype,
        loops=shape,
        iterators=tuple("reduction" if i == axis else "parallel" for i in range(len(shape))),
        roles=tuple("reduction" if i == axis else "parallel" for i in range(len(shape))),
        flops=None if points == DYNAMIC else body.flops * points,
        bytes_read=operands[0].bytes,
        bytes_written=None if None in written else sum(b for b in written if b is not None),
        location=location_of(op),
    )
