"""`transform.bellrock.block_results`: where a block's intermediate results live.

Missing upstream: bufferisation allocates a temporary for a result that only the next
elementwise op reads, although that op's own result has room for it; and in a parallel loop
whose last block is smaller it allocates on the heap, once for each block.

Rewrite:
    %t = memref.alloc(%n)           // written by op 1, read by elementwise op 2
    op 1 outs(%t)    op 2 ins(%t) outs(%o)
  ->
    op 1 outs(%o)    op 2 ins(%o) outs(%o)              // same type and place: in %o itself
    %a = memref.alloca(), %t = memref.subview %a[0][%n]  // otherwise: on the thread's stack

Needs: kernels, whose arguments do not overlap. Leaves alone what is too large for a stack, what
is not bounded by the blocks' sizes, and destinations that anything else reads.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math

from torch_mlir import ir
from torch_mlir.dialects import ext, memref, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index, is_elementwise
from bellrock.payload.motifs.base import element_bytes

STACK_BYTES = 3 << 19
"""Largest temporary that goes to a thread's stack."""
_DYNAMIC = ir.ShapedType.get_dynamic_size()


@edits_in_place(lambda op: _place_all(op))
class BlockResultsOp(Bellrock.Operation, name="block_results"):
    """Place the temporaries of the functions of the handle."""

    target: ext.Operand[transform.AnyOpType]


def _place_all(function: ir.Operation) -> None:
    for name in ("memref.alloc", "memref.alloca"):
        for allocation in ops_named(function, name):
            _place(allocation)


def _place(allocation: ir.Operation) -> None:
    buffer = allocation.results[0]
    users = [u.owner.operation for u in buffer.uses]
    frees = [u for u in users if u.name == "memref.dealloc"]
    readers = [u for u in users if u.name != "memref.dealloc"]
    if not all(u.name.startswith("linalg.") and u.block == allocation.block for u in readers):
        return
    destination = _destination(allocation, readers)
    if destination is None and allocation.name == "memref.alloc":
        destination = _on_stack(allocation)
    if destination is None:
        return
    for free in frees:
        free.erase()
    buffer.replace_all_uses_with(destination)
    allocation.erase()


def _destination(allocation: ir.Operation, readers: list[ir.Operation]) -> ir.Value | None:
    """Return the buffer of the elementwise op that alone reads a temporary, if it will do."""
    buffer = allocation.results[0]
    reading = [u for u in set(readers) if buffer in list(u.operands)[: _inputs(u)]]
    if len(reading) != 1 or not is_elementwise(reading[0]):
        return None
    (reader,) = reading
    maps, operands = maps_of(reader), list(reader.operands)
    if len(operands) != init_index(reader) + 1 or operands.count(buffer) != 1:
        return None
    out = operands[-1]
    same_place = maps[operands.index(buffer)] == maps[-1]
    if not same_place or not _same_elements(buffer, out) or reader.parent != allocation.parent:
        return None
    if any(reader.is_before_in_block(u) for u in readers):
        return None
    return out if _moved_before(allocation, out, reader) else None


def _inputs(op: ir.Operation) -> int:
    return init_index(op) if op.name == "linalg.generic" else 1


def _same_elements(a: ir.Value, b: ir.Value) -> bool:
    first, second = ir.MemRefType(a.type), ir.MemRefType(b.type)
    return first.element_type == second.element_type and list(first.shape) == list(second.shape)


def _moved_before(allocation: ir.Operation, out: ir.Value, reader: ir.Operation) -> bool:
    """Make a destination available where the temporary is made, if nothing else uses it."""
    if isinstance(out.owner, ir.Block):
        return len(list(out.uses)) == 1
    view = out.owner.operation
    base = view.operands[0] if view.name == "memref.subview" else None
    alone = len(list(out.uses)) == 1 and base is not None and len(list(base.uses)) == 1
    if not alone or base is None or not isinstance(base.owner, ir.Block):
        return False
    if view.block != allocation.block or view.is_before_in_block(allocation):
        return view.block != reader.block or view.is_before_in_block(allocation)
    owners = [o.owner for o in list(view.operands)[1:] if not isinstance(o.owner, ir.Block)]
    near = [o.operation for o in owners if o.operation.block == allocation.block]
    if not all(o.is_before_in_block(allocation) for o in near):
        return False
    view.move_before(allocation)
    return True


def _on_stack(allocation: ir.Operation) -> ir.Value | None:
    """Return a view of a stack buffer as large as the largest block."""
    kind = ir.MemRefType(allocation.results[0].type)
    if _parallel_loop(allocation) is None:
        return None
    sizes = list(allocation.operands)
    shape, taken = [], []
    for size in kind.shape:
        bound = _bound(sizes[len(taken)]) if size == _DYNAMIC else size
        if bound is None:
            return None
        shape.append(bound)
        if size == _DYNAMIC:
            taken.append(sizes[len(taken)])
    if math.prod(shape) * element_bytes(str(kind.element_type)) > STACK_BYTES:
        return None
    with ir.InsertionPoint(allocation), allocation.location:
        whole = ir.MemRefType.get(shape, kind.element_type)
        stack = memref.alloca(whole, [], [], alignment=64)
        if not taken:
            return stack
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        layout = ir.StridedLayoutAttr.get(0, strides)
        part = ir.MemRefType.get(list(kind.shape), kind.element_type, layout=layout)
        zeros, ones = [0] * len(shape), [1] * len(shape)
        return memref.SubViewOp(
            part, stack, [], taken, [],
            static_offsets=zeros, static_sizes=list(kind.shape), static_strides=ones,
        ).result  # fmt: skip


def _parallel_loop(op: ir.Operation) -> ir.Operation | None:
    parent = op.parent
    while parent is not None and parent.operation.name != "scf.forall":
        parent = parent.operation.parent
    return None if parent is None else parent.operation


def _bound(size: ir.Value) -> int | None:
    """Return the constant that a block's size never exceeds: the tile's."""
    owner = size.owner
    if isinstance(owner, ir.Block) or owner.operation.name != "affine.min":
        return None
    results = ir.AffineMapAttr(owner.operation.attributes["map"]).value.results
    constants = [
        ir.AffineConstantExpr(e).value for e in results if isinstance(e, ir.AffineConstantExpr)
    ]
    return min(constants, default=None)


OPS = (BlockResultsOp,)
"""Transform ops of this file."""
