"""`transform.bellrock.plan_memory`: all buffers of a host function in one workspace.

Missing upstream: a static memory plan. Each `memref.alloc` of a function becomes a view of
one byte buffer that the caller provides; buffers that are never needed at the same time
share bytes (docs/design/0003), so memory peaks near what the live values need, a call
allocates nothing, and nothing can leak. Before a result is first written its memory is free
as well, and is taken first: what a destination (`return_in_arguments`) can hold needs none.

Rewrite:
    func @main(%a, %out: memref<8xf32>) attributes {bellrock.first_destination = 1} {
      %b = memref.alloc() : memref<4xf32>    %c = memref.alloc() : memref<4xf32>
      call @f(%a, %b)    call @g(%b, %c)    call @h(%c, %out) }
  ->
    func @main(%a, %out, %workspace: memref<64xi8>) {
      %b = memref.reinterpret_cast %out    %c = memref.view %workspace[0] ... }

Needs: static shapes; loops whose carried buffers stay put (`settle_loop_carries`); callers whose
destinations overlap nothing.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, memref, transform

from bellrock.dialects.buffer_uses import VIEWS, ancestor_in, element_bytes, number_ops, users_of
from bellrock.dialects.destinations import FIRST_DESTINATION
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.errors import CompileError

WORKSPACE = "bellrock.workspace_bytes"
"""Integer attribute of a planned function: size of its last argument."""
ALIGNMENT_BYTES = 64
"""A cache line, and the widest vector of the targets at hand."""
ATTEMPTS = 12
"""Plans from each order of buffers that are tried while there are gaps."""
PAIRS = 1 << 24
"""Pairs of buffers that are compared for that, at the most: under a second."""


@edits_in_place(lambda op: plan(op))
class PlanMemoryOp(Bellrock.Operation, name="plan_memory"):
    """Plan the buffers of each of the handle's functions (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


@dataclass(slots=True)
class Buffer:
    """One allocation: its size and the span of the program in which it is needed."""

    op: ir.Operation
    size_bytes: int
    first: int
    last: int
    offset_bytes: int = 0


@dataclass(slots=True)
class Destination:
    """A result's memory, which is free until the result is first used."""

    value: ir.Value
    first_use: int
    guests: list[Buffer] = field(default_factory=list)

    def holds(self, buffer: Buffer) -> bool:
        """Whether a buffer has room here while it is needed.

        From the start of the memory and of the same elements only: upstream has no view of other
        elements, or of a later place, that is of a type which every kernel takes.
        """
        own, other = (ir.MemRefType(v.type) for v in (self.value, buffer.op.results[0]))
        return (
            own.element_type == other.element_type
            and math.prod(other.shape) <= math.prod(own.shape)
            and buffer.last < self.first_use
            and not any(g.first <= buffer.last and buffer.first <= g.last for g in self.guests)
        )


def plan(function: ir.Operation) -> None:
    """Plan one function in place; sets `bellrock.workspace_bytes`."""
    spans = number_ops(function)
    buffers = [buffer_of(op, spans) for op in ops_named(function, "memref.alloc")]
    destinations = _destinations(function, spans)
    left = _host(buffers, destinations)
    total = assign_offsets(left)
    block = function.regions[0].blocks[0]
    with function.location:
        for destination in destinations:
            for buffer in destination.guests:
                with ir.InsertionPoint(buffer.op):
                    _replace(buffer, _from_start(destination.value, buffer.op.results[0].type))
        i8 = ir.IntegerType.get_signless(8, function.context)
        workspace = block.add_argument(ir.MemRefType.get([total], i8), function.location)
        for buffer in left:
            with ir.InsertionPoint(buffer.op):
                offset = arith.ConstantOp(ir.IndexType.get(), buffer.offset_bytes).result
                view = memref.ViewOp(buffer.op.results[0].type, workspace, offset, []).result
            _replace(buffer, view)
        kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
        function.attributes["function_type"] = ir.TypeAttr.get(
            ir.FunctionType.get([*kind.inputs, workspace.type], list(kind.results))
        )
        if "arg_attrs" in function.attributes:
            known = ir.ArrayAttr(function.attributes["arg_attrs"])
            function.attributes["arg_attrs"] = ir.ArrayAttr.get([*known, ir.DictAttr.get({})])
        i64 = ir.IntegerType.get_signless(64)
        function.attributes[WORKSPACE] = ir.IntegerAttr.get(i64, total)


def _replace(buffer: Buffer, value: ir.Value) -> None:
    buffer.op.results[0].replace_all_uses_with(value)
    buffer.op.erase()


def _destinations(
    function: ir.Operation, spans: dict[ir.Operation, tuple[int, int]]
) -> list[Destination]:
    """Return the results' memory, each with the number of the op that is the first to use it."""
    if FIRST_DESTINATION not in function.attributes:
        return []
    block = function.regions[0].blocks[0]
    first = ir.IntegerAttr(function.attributes[FIRST_DESTINATION]).value
    found = []
    for value in list(block.arguments)[first:]:
        kind = ir.MemRefType(value.type)
        if not kind.has_static_shape or kind.affine_map != ir.AffineMap.get_identity(kind.rank):
            continue
        # Making a view is no use: stages make views of results long before these are written.
        users = [ancestor_in(u, block) for u in users_of(value) if u.name not in VIEWS]
        found.append(Destination(value, min((spans[u][0] for u in users), default=0)))
    return found


def _host(buffers: Sequence[Buffer], destinations: Sequence[Destination]) -> list[Buffer]:
    """Give destinations the largest buffers that they hold; returns the others."""
    left = []
    for buffer in sorted(buffers, key=lambda b: (-b.size_bytes, b.first)):
        host = next((d for d in destinations if d.holds(buffer)), None)
        (left if host is None else host.guests).append(buffer)
    return left


def _from_start(value: ir.Value, kind: ir.MemRefType) -> ir.Value:
    """Return the first elements of a whole buffer as one of another shape."""
    if value.type == kind:
        return value
    sizes = list(kind.shape)
    strides = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
    return memref.ReinterpretCastOp(kind, value, [], [], [], [0], sizes, strides).result


def assign_offsets(buffers: list[Buffer]) -> int:
    """Place buffers so that no two that are live together overlap.

    Largest first, each at the lowest offset that is free during its span ("greedy by size",
    Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020). Where that
    leaves gaps, also by start and by bytes times span, and what came to lie on top first; the
    smallest of these plans is taken.

    Returns:
        Bytes in all, a multiple of the alignment, at least one alignment unit.
    """
    orders = [
        sorted(buffers, key=lambda b: (-b.size_bytes, b.first)),
        sorted(buffers, key=lambda b: (b.first, -b.size_bytes)),
        sorted(buffers, key=lambda b: (-b.size_bytes * (b.last - b.first + 1), b.first)),
    ]
    least = _most_live(buffers)
    attempts = min(ATTEMPTS, PAIRS // max(1, len(buffers)) ** 2)
    best, total = orders[0], _place(orders[0])
    for order in orders:
        for _ in range(attempts):
            if total <= least:
                break
            found = _place(order)
            if found < total:
                best, total = order, found
            top = [b for b in order if b.offset_bytes + b.size_bytes == found]
            lifted = set(map(id, top))
            order = top + [b for b in order if id(b) not in lifted]
    return _place(best)


def _place(order: Sequence[Buffer]) -> int:
    """Place each buffer at the lowest offset that is free; returns the bytes in all."""
    placed: list[Buffer] = []
    total = ALIGNMENT_BYTES
    for buffer in order:
        offset = 0
        rivals = [p for p in placed if p.first <= buffer.last and buffer.first <= p.last]
        for rival in sorted(rivals, key=lambda p: p.offset_bytes):
            if rival.offset_bytes - offset >= buffer.size_bytes:
                break
            offset = max(offset, rival.offset_bytes + rival.size_bytes)
        buffer.offset_bytes = offset
        placed.append(buffer)
        total = max(total, offset + buffer.size_bytes)
    return total


def _most_live(buffers: Sequence[Buffer]) -> int:
    """Return the most bytes that are needed at one time: no plan takes less."""
    changes = [(b.first, b.size_bytes) for b in buffers]
    changes += [(b.last + 1, -b.size_bytes) for b in buffers]
    return max(ALIGNMENT_BYTES, *accumulate((size for _, size in sorted(changes)), initial=0))


def buffer_of(op: ir.Operation, spans: dict[ir.Operation, tuple[int, int]]) -> Buffer:
    """Find the span from the first to the last use of a buffer, or of anything that views it.

    It may be allocated long before, as stages leave it; until it is written it needs no memory.

    Args:
        op: the allocation, or, once memory is planned, the view of the workspace in its place.
        spans: of all ops, as `number_ops` counts them.

    Raises:
        CompileError: the buffer has no known size.
    """
    kind = ir.MemRefType(op.results[0].type)
    if not kind.has_static_shape:
        raise CompileError("a buffer has a dynamic size", got=str(kind), where=str(op.location))
    size = element_bytes(kind.element_type)
    for d in kind.shape:
        size *= d
    size = -(-max(size, 1) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    uses = [spans[ancestor_in(u, op.block)] for u in users_of(op.results[0]) if u.name not in VIEWS]
    first = min((start for start, _ in uses), default=spans[op][0])
    last = max((end for _, end in uses), default=first)
    return Buffer(op=op, size_bytes=size, first=first, last=last)


OPS = (PlanMemoryOp,)
