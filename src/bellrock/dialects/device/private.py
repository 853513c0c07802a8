"""Buffers that launches make for themselves.

Flows in: a function whose launches allocate. Flows out: small buffers in the work-item's
private memory; larger ones as parts of one buffer that the host allocates, one for each item.

`transform.bellrock.private_space`: after launches are device functions, the private space of
`gpu` becomes the default one. Missing upstream: `convert-gpu-to-llvm-spv` lets the default space
be the device's memory, and leaves allocations in the private one, which later patterns refuse.
"""

# No postponed annotations here: the dialect reads the field types from them.

import math

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, memref, transform

from bellrock.dialects.device.item_loops import index_constant
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.grouping import defining_op
from bellrock.errors import CompileError

PRIVATE_BYTES = 1024
"""Largest buffer of a work-item that stays in private memory: registers spill beyond."""
_PRIVATE = "#gpu.address_space<private>"
_VIEWS = ("memref.cast", "memref.collapse_shape", "memref.expand_shape", "memref.reinterpret_cast",
          "memref.subview", "memref.transpose", "memref.view",
          "memref.extract_strided_metadata")  # fmt: skip


@edits_in_place(lambda op: _to_default(op))
class PrivateSpaceOp(Bellrock.Operation, name="private_space"):
    """Put private buffers below the handle's ops into the default memory space."""

    target: ext.Operand[transform.AnyOpType]


def _to_default(root: ir.Operation) -> None:
    for op in ops_named(root, "memref.alloca"):
        kind = ir.MemRefType(op.results[0].type)
        if str(kind.memory_space) == _PRIVATE:
            op.results[0].set_type(ir.MemRefType.get(kind.shape, kind.element_type, kind.layout))
            _spread(op.results[0], None)


def settle_buffers(function: ir.Operation) -> None:
    """Give every buffer that a launch below a function allocates its place."""
    for launch in ops_named(function, "gpu.launch"):
        for name in ("memref.alloc", "memref.alloca"):
            for op in ops_named(launch, name):
                _settle(op, launch)
        for op in ops_named(launch, "memref.dealloc"):
            op.erase()
        for op in ops_named(launch, "memref.alloca_scope"):
            _dissolve(op)


def _settle(op: ir.Operation, launch: ir.Operation) -> None:
    kind = ir.MemRefType(op.results[0].type)
    if len(op.operands):
        raise CompileError("a kernel makes a buffer whose size is not known", got=str(kind))
    if bytes_of(kind) <= PRIVATE_BYTES:
        _private(op, kind, launch)
    else:
        _scratch(op, kind, launch)


def bytes_of(kind: ir.MemRefType) -> int:
    """Return the size of a buffer of known shape."""
    element = kind.element_type
    width = element.width if isinstance(element, (ir.IntegerType, ir.FloatType)) else 64
    return math.prod(kind.shape) * max(1, width // 8)


def _private(op: ir.Operation, kind: ir.MemRefType, launch: ir.Operation) -> None:
    """Make a buffer private, at the start of the launch: it is there once for each item."""
    private = ir.Attribute.parse(_PRIVATE)
    first = launch.regions[0].blocks[0].operations[0].operation
    with ir.InsertionPoint(first), op.location:
        own = memref.AllocaOp(
            ir.MemRefType.get(kind.shape, kind.element_type, kind.layout, private), [], []
        ).result
    _drop_deallocations(op)
    op.results[0].replace_all_uses_with(own)
    op.erase()
    _spread(own, private)


def _drop_deallocations(op: ir.Operation) -> None:
    for use in list(op.results[0].uses):
        if use.owner.operation.name == "memref.dealloc":
            use.owner.operation.erase()


def _spread(value: ir.Value, space: ir.Attribute | None) -> None:
    """Let views of a private buffer be private, too."""
    for use in list(value.uses):
        op = use.owner.operation
        if not op.name.startswith(_VIEWS):
            continue
        for result in op.results:
            if isinstance(result.type, ir.MemRefType):
                kind = ir.MemRefType(result.type)
                result.set_type(
                    ir.MemRefType.get(kind.shape, kind.element_type, kind.layout, space)
                )
                _spread(result, space)


def _scratch(op: ir.Operation, kind: ir.MemRefType, launch: ir.Operation) -> None:
    """Take a buffer from one that the host allocates, with a part for each work-item."""
    size = bytes_of(kind)
    whole = ir.MemRefType.get([_items(launch) * size], ir.IntegerType.get_signless(8))
    with ir.InsertionPoint(launch), launch.location:
        buffer = memref.AllocOp(whole, [], []).result
    with ir.InsertionPoint.after(launch), launch.location:
        memref.DeallocOp(buffer)
    block = launch.regions[0].blocks[0]
    with ir.InsertionPoint(block.operations[0]), op.location:
        width = index_constant(_known(launch.operands[-3]))
        start = arith.MulIOp(block.arguments[0], width).result
        item = arith.AddIOp(start, block.arguments[3]).result
        own = memref.ViewOp(kind, buffer, arith.MulIOp(item, index_constant(size)).result, [])
    _drop_deallocations(op)
    op.results[0].replace_all_uses_with(own.result)
    op.erase()


def _items(launch: ir.Operation) -> int:
    """Return the work-items of a launch."""
    sizes = [_known(v) for v in (launch.operands[-6], launch.operands[-3])]
    return math.prod(sizes)


def _known(value: ir.Value) -> int:
    op = defining_op(value)
    if op is None or op.name != "arith.constant":
        raise CompileError("a launch has no fixed number of work-items", got=str(value)[:200])
    return ir.IntegerAttr(op.attributes["value"]).value


def _dissolve(scope: ir.Operation) -> None:
    """Put the ops of an `alloca_scope` in its place."""
    block = scope.regions[0].blocks[0]
    *inner, end = [o.operation for o in block.operations]
    for op in inner:
        op.move_before(scope)
    for old, new in zip(scope.results, end.operands, strict=True):
        old.replace_all_uses_with(new)
    scope.erase()


OPS = (PrivateSpaceOp,)
