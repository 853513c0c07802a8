"""`transform.bellrock.fold_movement`: transposes and broadcasts go into their users' maps.

Upstream folds a producer into an elementwise user, but into a contraction or a convolution
only together with whatever it computes (which would be computed again for each use). This
op folds pure data movement, which costs nothing there, and leaves arithmetic alone.

Rewrite:
    %t = linalg.generic {maps = [(i, j) -> (j, i), (i, j) -> (i, j)]} ins(%w) { yield %in }
    %r = linalg.generic {maps = [..., (m, n, k) -> (k, n), ...]} ins(%x, %t)
  ->
    %r = linalg.generic {maps = [..., (m, n, k) -> (n, k), ...]} ins(%x, %w)

A widening of floats (exact, one instruction) counts as movement where a contraction reads it:
its operand is then read in the narrow type, at half the bytes and, where the processor has
dot products of narrow types, by those.

Needs: generic form (`linalg-generalize-named-ops`) of the movement and of the user.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.payload.motif import MotifKind, find_motif

_MEMOISED = "linalg.memoized_indexing_maps"


@edits_in_place(lambda op: _fold(op))
class FoldMovementOp(Bellrock.Operation, name="fold_movement"):
    """Fold pure permutations and broadcasts below the handle's ops into generic users."""

    target: ext.Operand[transform.AnyOpType]


def _fold(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        # Generalisation memoises the maps; a stale copy would mislead passes that read it.
        if _MEMOISED in op.attributes:
            del op.attributes[_MEMOISED]
        for i in range(_inputs(op)):
            _fold_operand(op, i)


def _inputs(op: ir.Operation) -> int:
    return next(iter(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"])))


def maps_of(op: ir.Operation) -> list[ir.AffineMap]:
    """Return the indexing maps of a linalg.generic, inputs first."""
    return [ir.AffineMapAttr(a).value for a in ir.ArrayAttr(op.attributes["indexing_maps"])]


def is_movement(op: ir.Operation) -> bool:
    """Whether a generic only moves its one input: identity output, projected input."""
    body = _body_of_copy(op)
    return len(body) == 1 and body[0].operands[0] == op.regions[0].blocks[0].arguments[0]


def is_widening(op: ir.Operation) -> bool:
    """Whether a generic moves its one input and widens each element."""
    body = _body_of_copy(op)
    if len(body) != 2 or body[0].name != "arith.extf":
        return False
    widened = body[0].operands[0] == op.regions[0].blocks[0].arguments[0]
    return widened and body[1].operands[0] == body[0].results[0]


def _body_of_copy(op: ir.Operation) -> list[ir.Operation]:
    """Return the body of a generic with the operands and maps of a movement, or nothing."""
    if op.name != "linalg.generic" or _inputs(op) != 1 or len(op.operands) != 2:
        return []
    source, result = maps_of(op)
    identity = ir.AffineMap.get_identity(result.n_dims, result.context)
    if result != identity or not source.is_projected_permutation:
        return []
    return [o.operation for o in op.regions[0].blocks[0].operations]


def _fold_operand(op: ir.Operation, index: int) -> None:
    """Replace operand `index` by the source of the movement that made it, repeatedly."""
    while True:
        producer = op.operands[index].owner
        if not isinstance(producer, ir.OpView | ir.Operation):
            return
        producer = producer.operation
        if is_widening(producer) and _is_contraction(op):
            widen_inside(op, index, producer.operands[0].type.element_type)
        elif not is_movement(producer):
            return
        maps = maps_of(op)
        source = maps_of(producer)[0]
        composed = [expr.compose(maps[index]) for expr in source.results]
        count = maps[index].n_dims
        maps[index] = ir.AffineMap.get(count, 0, composed, source.context)
        op.operands[index] = producer.operands[0]
        op.attributes["indexing_maps"] = ir.ArrayAttr.get(
            [ir.AffineMapAttr.get(m) for m in maps], op.context
        )


def _is_contraction(op: ir.Operation) -> bool:
    motif = find_motif(op)
    return motif is not None and motif.kind is MotifKind.CONTRACTION


def widen_inside(op: ir.Operation, index: int, narrow: ir.Type) -> None:
    """Let the body take one operand in a narrower type, and widen it there."""
    block = op.regions[0].blocks[0]
    argument = block.arguments[index]
    wide = argument.type
    argument.set_type(narrow)
    with ir.InsertionPoint.at_block_begin(block), op.location:
        widened = arith.extf(wide, argument)
    argument.replace_all_uses_except(widened, widened.owner.operation)


OPS = (FoldMovementOp,)
