"""Elementwise ops, fills, and data movement that is written as a linalg op.

Flows in: `Structured` with parallel loops only. Flows out: a `Motif`, or None.
"""

from __future__ import annotations

from bellrock.payload.motifs.access import Access, is_projection
from bellrock.payload.motifs.base import Motif, MotifKind, product
from bellrock.payload.motifs.body import ARGUMENT, RESULT, Ref
from bellrock.payload.motifs.structured import PARALLEL, Structured

_ADDRESSING = ("linalg.index", "arith.", "tensor.extract", "cf.assert", "affine.apply", "index.")


def match(op: Structured) -> Motif | None:
    """Return the motif if all loops are parallel."""
    if any(i != PARALLEL for i in op.iterators):
        return None
    kind, variant = _kind(op)
    return op.motif(
        kind,
        variant=variant,
        dims={"elements": product(op.loops)},
        lists={"elements": op.loops},
        accumulator=_widest(op),
    )


def _kind(op: Structured) -> tuple[MotifKind, str]:
    body = op.body
    if all(_is_constant(op, ref) for ref in body.yields):
        return MotifKind.FILL, ""
    if all(ref[0] == ARGUMENT for ref in body.yields):
        return MotifKind.DATA_MOVEMENT, _movement(op, body.yields[0])
    if body.gathered and _only_moves(op):
        return MotifKind.DATA_MOVEMENT, "gather"
    names = [o.name for o in body.ops if o.name != "arith.constant"]
    if len(names) == 1:
        return MotifKind.ELEMENTWISE, names[0].split(".")[-1]
    return MotifKind.ELEMENTWISE, ""


def _is_constant(op: Structured, ref: Ref) -> bool:
    """Whether a yielded value is the same at each point: a scalar input or an outer value."""
    kind, number = ref
    if kind == ARGUMENT:
        return number < op.input_count and not op.shapes[number]
    if kind == RESULT:
        return op.body.ops[number].name == "arith.constant"
    return True


def _only_moves(op: Structured) -> bool:
    """Whether what is yielded was read from a tensor and not computed with."""
    for kind, number in op.body.yields:
        if kind == RESULT and op.body.ops[number].name != "tensor.extract":
            return False
    return all(o.name.startswith(_ADDRESSING) for o in op.body.ops)


def _movement(op: Structured, ref: Ref) -> str:
    source, target = op.accesses[ref[1]], op.accesses[op.input_count]
    if source == target:
        return "copy"
    if not (is_projection(source) and is_projection(target)):
        return "slice"
    if len(_order(source)) < len(_order(target)):
        return "broadcast"
    return "transpose"


def _order(access: Access) -> list[int]:
    return [e.loop for e in access if e.loop is not None]


def _widest(op: Structured) -> str:
    """Return the type that it computes in: that of its last float op, else of its output."""
    floats = [o.dtype for o in op.body.ops if o.dtype in ("f64", "f32", "bf16", "f16")]
    rank = {"f64": 3, "f32": 2, "bf16": 1, "f16": 1}
    return max(floats, key=lambda d: rank[d]) if floats else op.dtypes[op.input_count]
