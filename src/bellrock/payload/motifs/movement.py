"""Data movement outside linalg: pads, slices, concatenations, gathers, scatters.

Flows in: ops of `tensor`, `tm_tensor` and `linalg` without maps. Flows out: a `Motif`, or None.
Views (`tensor.expand_shape`, `collapse_shape`, `cast`, `empty`) move nothing and have no motif.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motifs.base import DYNAMIC, Motif, MotifKind, Operand, Side, product
from bellrock.payload.motifs.structured import (
    is_constant_fill,
    location_of,
    shape_and_dtype,
)

_VARIANTS = {
    "tensor.pad": "pad",
    "tensor.concat": "concat",
    "tensor.extract_slice": "extract-slice",
    "tensor.insert_slice": "insert-slice",
    "tensor.parallel_insert_slice": "insert-slice",
    "tensor.insert": "insert",
    "tensor.gather": "gather",
    "linalg.pack": "pack",
    "linalg.unpack": "unpack",
    "memref.copy": "copy",
}
_SCATTERS = {"tm_tensor.scatter": 2, "tensor.scatter": 0}
"""Scatters, and which operand is the tensor that is updated (see `_roles`)."""


def match(op: ir.Operation) -> Motif | None:
    """Return the motif if the op moves data."""
    name = op.name
    if name == "tensor.splat":
        return _record(op, MotifKind.FILL, "", reads=[], moved=_tensors(op)[-1])
    if name in _SCATTERS:
        return _scatter(op)
    if name not in _VARIANTS:
        return None
    return _movement(op, _VARIANTS[name])


def _movement(op: ir.Operation, variant: str) -> Motif:
    tensors = _tensors(op)
    kind = MotifKind.DATA_MOVEMENT
    if variant in ("insert-slice", "copy"):
        # The rest of the destination stays where it is.
        named = "stuff" if stuffs(op) else variant
        return _record(op, kind, named, reads=[tensors[0]], moved=tensors[0])
    if variant == "insert":
        scalar = Operand(side=Side.OUTPUT, dtype=tensors[0].dtype, shape=(), layout="")
        return _record(op, kind, variant, reads=[], moved=scalar)
    result = tensors[-1]
    if variant in ("extract-slice", "concat"):
        return _record(op, kind, variant, reads=[result], moved=result)
    if variant == "gather":
        return _record(op, kind, variant, reads=[result, tensors[1]], moved=result)
    return _record(op, kind, variant, reads=tensors[:1], moved=result)


def stuffs(op: ir.Operation) -> bool:
    """Whether a slice is put into a constant tensor with gaps between its elements.

    That is how a transposed convolution is made of an ordinary one.
    """
    if op.name != "tensor.insert_slice" or not is_constant_fill(op.operands[1]):
        return False
    dynamic = ir.ShapedType.get_dynamic_size()
    strides = ir.DenseI64ArrayAttr(op.attributes["static_strides"])
    return any(stride > 1 for stride in strides if stride != dynamic)


def _scatter(op: ir.Operation) -> Motif:
    """Updates and their indices are read, the updates written; the rest is left in place."""
    tensors = _tensors(op)
    if op.name == "tensor.scatter":
        updates, indices = tensors[0], tensors[2]
    else:
        updates, indices = tensors[0], tensors[1]
    combines = "add" if _body_names(op) & {"arith.addf", "arith.addi"} else "replace"
    return _record(op, MotifKind.SCATTER, combines, reads=[updates, indices], moved=updates)


def _body_names(op: ir.Operation) -> set[str]:
    return {o.operation.name for r in op.regions for b in r.blocks for o in b.operations}


def _tensors(op: ir.Operation) -> list[Operand]:
    """Return the shaped operands, then the shaped results (memref ops have none)."""
    found = []
    for side, values in ((Side.INPUT, op.operands), (Side.OUTPUT, op.results)):
        for value in values:
            if isinstance(value.type, ir.ShapedType):
                shape, dtype = shape_and_dtype(value.type)
                layout = "".join(f"p{i}" for i in range(len(shape)))
                found.append(Operand(side=side, dtype=dtype, shape=shape, layout=layout))
    return found


def _record(
    op: ir.Operation, kind: MotifKind, variant: str, *, reads: list[Operand], moved: Operand
) -> Motif:
    sizes = [r.bytes for r in reads]
    return Motif(
        kind=kind,
        op=op.name,
        variant=variant,
        dims={"elements": product(moved.shape)},
        lists={"elements": moved.shape},
        operands=tuple(_tensors(op)),
        accumulator=moved.dtype,
        loops=moved.shape,
        iterators=("parallel",) * len(moved.shape),
        roles=("parallel",) * len(moved.shape),
        flops=0 if variant != "add" else None if DYNAMIC in moved.shape else product(moved.shape),
        bytes_read=None if None in sizes else sum(s for s in sizes if s is not None),
        bytes_written=moved.bytes,
        location=location_of(op),
    )
