"""`transform.bellrock.place_results`: a buffer that ends as a result is that result.

Upstream's `eliminate-empty-tensors` lets an op write straight into a destination of the very
type of its result. Seen in another shape, the result is written to a buffer of its own and
copied: as much memory again, and as much time as a cheap kernel.

Rewrite:
    func @main(%x, %out: memref<2x3x5xf32>) {
      %b = memref.alloc() : memref<6x5xf32>
      call @k(%x, %b)
      %r = memref.expand_shape %b [[0, 1], [2]] ...
      memref.copy %r, %out
  ->
      %f = memref.collapse_shape %out [[0, 1, 2]] ...
      %b = memref.expand_shape %f [[0, 1]] ... : memref<30xf32> into memref<6x5xf32>
      call @k(%x, %b)

Needs: an argument that nothing else reads or writes; a buffer that is not used after the copy,
of as many elements, none of them padding; both outside of loops.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, memref, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.plan_memory import aliases, number_ops

_RESHAPES = {"memref.expand_shape", "memref.collapse_shape"}


@edits_in_place(lambda op: _place_all(op))
class PlaceResultsOp(Bellrock.Operation, name="place_results"):
    """Place buffers of the handle's functions in the arguments that they are copied to."""

    target: ext.Operand[transform.AnyOpType]


def _place_all(function: ir.Operation) -> None:
    for copy in ops_named(function, "memref.copy"):
        source, out = copy.operands
        buffer = _allocation(source)
        if buffer is None or buffer.block != copy.block or not _is_result(out, function):
            continue
        if not _whole(out) or not _whole(buffer.results[0]) or not _ends_with(buffer, copy):
            continue
        with ir.InsertionPoint(buffer), buffer.location:
            place = _reshaped(out, ir.MemRefType(buffer.results[0].type))
        copy.erase()
        buffer.results[0].replace_all_uses_with(place)
        buffer.erase()


def _allocation(value: ir.Value) -> ir.Operation | None:
    """Return the allocation that a value is, seen in whatever shape."""
    while not isinstance(value.owner, ir.Block):
        op = value.owner.operation
        if op.name not in _RESHAPES:
            return op if op.name == "memref.alloc" else None
        value = op.operands[0]
    return None


def _is_result(value: ir.Value, function: ir.Operation) -> bool:
    block = function.regions[0].blocks[0]
    return isinstance(value.owner, ir.Block) and value.owner == block and len(list(value.uses)) == 1


def _whole(value: ir.Value) -> bool:
    """Return whether a buffer's elements lie one behind the other."""
    kind = ir.MemRefType(value.type)
    identity = kind.affine_map == ir.AffineMap.get_identity(kind.rank)
    return kind.rank > 0 and kind.has_static_shape and identity


def _ends_with(buffer: ir.Operation, copy: ir.Operation) -> bool:
    """Return whether nothing uses a buffer, or a view of it, after the copy."""
    order = number_ops(copy.parent)
    views, seen = [buffer.results[0]], set()
    while views:
        value = views.pop()
        if value in seen:
            continue
        seen.add(value)
        for use in value.uses:
            user = use.owner.operation
            if order[user][1] > order[copy][0]:
                return False
            views.extend(aliases(user, use.operand_number))
    return True


def _reshaped(value: ir.Value, kind: ir.MemRefType) -> ir.Value:
    """Return a whole buffer in the shape of `kind`."""
    given = ir.MemRefType(value.type)
    if list(given.shape) == list(kind.shape):
        return value
    if given.rank > 1:
        elements = 1
        for size in kind.shape:
            elements *= size
        flat = ir.MemRefType.get([elements], kind.element_type, memory_space=given.memory_space)
        value = memref.CollapseShapeOp(flat, value, [list(range(given.rank))]).result
    if kind.rank > 1:
        shape = list(kind.shape)
        value = memref.ExpandShapeOp(kind, value, [list(range(kind.rank))], [], shape).result
    return value


OPS = (PlaceResultsOp,)
