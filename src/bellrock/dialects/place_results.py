"""`transform.bellrock.place_results`: a buffer that ends as a copy of itself is that copy.

Upstream's `eliminate-empty-tensors` lets an op write straight into a destination of the very
type of its result. Seen in another shape, the result is written to a buffer of its own and
copied: as much memory again, and as much time as a cheap kernel. So is the new state of a
recurrence, which is copied over the old one, and the output that a loop fills row by row.

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

Needs: a place that nothing reads or writes from the first use of the buffer up to the copy; a
buffer that is not used after the copy, of as many elements, none of them padding; both in one
block, or the place outside of it.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, memref, transform

from bellrock.dialects.buffer_uses import ancestor_in, number_ops, users_of
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named

_RESHAPES = {"memref.expand_shape", "memref.collapse_shape"}


@edits_in_place(lambda op: _place_all(op))
class PlaceResultsOp(Bellrock.Operation, name="place_results"):
    """Place buffers of the handle's functions in the arguments that they are copied to."""

    target: ext.Operand[transform.AnyOpType]


def _place_all(function: ir.Operation) -> None:
    while _place_some(function):
        for copy in ops_named(function, "memref.copy"):
            if copy.operands[0] == copy.operands[1]:
                copy.erase()


def _place_some(function: ir.Operation) -> bool:
    """Go over all copies once; return whether one of the others now copies a place to itself.

    Such a copy is erased by the caller, when nobody is going over the copies.
    """
    found = False
    for copy in ops_named(function, "memref.copy"):
        source, out = copy.operands
        if source == out:
            continue
        buffer, place = _maker(source), _maker(out)
        if buffer is None or buffer.name != "memref.alloc" or buffer.block != copy.block:
            continue
        if place is None and not _is_argument(_root(out), function):
            continue
        if not _whole(out) or not _whole(buffer.results[0]):
            continue
        if _is_free(out, buffer, copy, number_ops(function)):
            found = _put(buffer, copy, out) or found
    return found


def _put(buffer: ir.Operation, copy: ir.Operation, out: ir.Value) -> bool:
    """Let a buffer be the place that it is copied to; return whether that is copied to itself."""
    with ir.InsertionPoint(buffer), buffer.location:
        place = _reshaped(out, ir.MemRefType(buffer.results[0].type))
    copy.erase()
    buffer.results[0].replace_all_uses_with(place)
    buffer.erase()
    users = [use.owner.operation for use in place.uses]
    return any(u.name == "memref.copy" and u.operands[0] == u.operands[1] for u in users)


def _root(value: ir.Value) -> ir.Value:
    """Return the buffer that a value is, seen in whatever shape."""
    while not isinstance(value.owner, ir.Block) and value.owner.operation.name in _RESHAPES:
        value = value.owner.operation.operands[0]
    return value


def _maker(value: ir.Value) -> ir.Operation | None:
    """Return what allocates a buffer; None where it is an argument."""
    owner = _root(value).owner
    return None if isinstance(owner, ir.Block) else owner.operation


def _is_argument(value: ir.Value, function: ir.Operation) -> bool:
    return isinstance(value.owner, ir.Block) and value.owner == function.regions[0].blocks[0]


def _is_free(
    out: ir.Value, buffer: ir.Operation, copy: ir.Operation,
    order: dict[ir.Operation, tuple[int, int]],
) -> bool:  # fmt: skip
    """Whether a buffer's place is there before it, and is its own until the copy."""
    root, owner = _root(out), out.owner
    if not isinstance(owner, ir.Block) and order[owner.operation][0] > order[buffer][0]:
        return False
    if not isinstance(root.owner, ir.Block) and root.owner.operation.name != "memref.alloc":
        return False
    own = _users(buffer.results[0])
    if any(order[user][1] > order[copy][0] for user in own):
        return False
    # A loop that uses the buffer does so from its start: what comes first in it comes again.
    first = min(order[ancestor_in(user, buffer.block)][0] for user in own)
    return not any(
        order[user][1] >= first and order[user][0] < order[copy][0]
        for user in _users(root)
        if not _starts_it(user, out, buffer)
    )


def _starts_it(user: ir.Operation, out: ir.Value, buffer: ir.Operation) -> bool:
    """Whether an op copies what is in the place into the buffer, which then need not be done."""
    if user.name != "memref.copy":
        return False
    source, target = user.operands
    return source == out and target == buffer.results[0] and source.type == target.type


def _users(buffer: ir.Value) -> list[ir.Operation]:
    """Return all ops that use a buffer or a view of it; making a view is no use."""
    return [user for user in users_of(buffer) if user.name not in _RESHAPES]


def _whole(value: ir.Value) -> bool:
    """Return whether a buffer's elements lie one behind the other."""
    kind = ir.MemRefType(value.type)
    identity = kind.affine_map == ir.AffineMap.get_identity(kind.rank)
    return kind.rank > 0 and kind.has_static_shape and identity


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
