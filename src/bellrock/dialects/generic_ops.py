"""What a `linalg.generic` says of itself: kinds of its loops, whether it is elementwise.

Flows in: ops. Flows out: plain values; `add_input`, an equal op that reads one operand more; and
`clone_at`, an op of a body where an element is computed alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import linalg

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


def add_input(op: ir.Operation, value: ir.Value, access: ir.AffineMap) -> ir.Operation:
    """Put an equal op with one more input, the last, in the place of a generic; returns it.

    Args:
        op: a `linalg.generic`.
        value: the input.
        access: its map.
    """
    count = init_index(op)
    maps = maps_of(op)
    maps = [*maps[:count], access, *maps[count:]]
    operands = list(op.operands)
    inputs, inits = [*operands[:count], value], operands[count:]
    made = linalg.GenericOp(
        [r.type for r in op.results], inputs, inits,
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]), op.attributes["iterator_types"],
    )  # fmt: skip
    old = op.regions[0].blocks[0]
    types = [getattr(v.type, "element_type", v.type) for v in (*inputs, *inits)]
    body = made.regions[0].blocks.append(*types)
    arguments = [*body.arguments[:count], *body.arguments[count + 1 :]]
    known = dict(zip(old.arguments, arguments, strict=True))
    with ir.InsertionPoint(body):
        for inner in old.operations:
            clone = inner.operation.clone()
            for i, operand in enumerate(inner.operation.operands):
                clone.operands[i] = known.get(operand, operand)
            known.update(zip(inner.operation.results, clone.results, strict=True))
    given = ("indexing_maps", "iterator_types", "operandSegmentSizes")
    for name in op.attributes:
        if name not in given:
            made.operation.attributes[name] = op.attributes[name]
    for before, after in zip(op.results, made.results, strict=True):
        before.replace_all_uses_with(after)
    op.erase()
    return made.operation


def clone_at(op: ir.Operation, at: Sequence[ir.Value], known: dict[ir.Value, ir.Value]) -> None:
    """Clone an op of a generic's body at the insertion point, outside of the generic.

    Args:
        op: of the body; an index stands for its place in `at`.
        at: where the element is, a value for each loop.
        known: what values of the body are here; receives the clone's results.
    """
    if op.name == "linalg.index":
        known[op.results[0]] = at[ir.IntegerAttr(op.attributes["dim"]).value]
        return
    clone = op.clone()
    for i, operand in enumerate(op.operands):
        clone.operands[i] = known.get(operand, operand)
    known.update(zip(op.results, clone.results, strict=True))
