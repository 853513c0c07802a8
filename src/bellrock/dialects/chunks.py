"""An op on buffers, cut into chunks of its result.

Flows in: a linalg.generic on memrefs, all of whose loops index its one output. Flows out:
loops over chunks of bounded size, and for each a clone of the op on subviews.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, scf

from bellrock.dialects.fold_movement import maps_of

Offset = int | ir.Value
_DYNAMIC = ir.ShapedType.get_dynamic_size()


def each_chunk(
    shape: Sequence[Offset],
    sizes: Sequence[int],
    body: Callable[[list[Offset], list[Offset]], None],
) -> None:
    """Emit loops over the chunks of a shape; what does not divide is a chunk of its own.

    Args:
        shape: of what is cut; a size may be known only when the program runs.
        sizes: of a chunk.
        body: emits a chunk, given its offsets and its sizes, which are static but for what is
            left of a size that is not (it may be nothing).
    """
    _nest(list(zip(shape, sizes, strict=True)), [], [], body)


def _nest(
    left: list[tuple[Offset, int]],
    offsets: list[Offset],
    sizes: list[Offset],
    body: Callable[[list[Offset], list[Offset]], None],
) -> None:
    if not left:
        body(offsets, sizes)
        return
    (size, chunk), *rest = left
    if not isinstance(size, int):
        _nest_dynamic(size, chunk, rest, offsets, sizes, body)
        return
    whole = size // chunk * chunk
    if whole == chunk:
        _nest(rest, [*offsets, 0], [*sizes, chunk], body)
    elif whole:
        loop = scf.ForOp(*(constant(v) for v in (0, whole, chunk)))
        with ir.InsertionPoint(loop.body):
            _nest(rest, [*offsets, loop.induction_variable], [*sizes, chunk], body)
            scf.YieldOp([])
    if whole < size:
        _nest(rest, [*offsets, whole], [*sizes, size - whole], body)


def _nest_dynamic(
    size: ir.Value,
    chunk: int,
    rest: list[tuple[Offset, int]],
    offsets: list[Offset],
    sizes: list[Offset],
    body: Callable[[list[Offset], list[Offset]], None],
) -> None:
    whole = arith.muli(arith.divui(size, constant(chunk)), constant(chunk))
    loop = scf.ForOp(constant(0), whole, constant(chunk))
    with ir.InsertionPoint(loop.body):
        _nest(rest, [*offsets, loop.induction_variable], [*sizes, chunk], body)
        scf.YieldOp([])
    _nest(rest, [*offsets, whole], [*sizes, arith.subi(size, whole)], body)


def constant(value: int) -> ir.Value:
    """Make an index."""
    return arith.ConstantOp(ir.IndexType.get(), value).result


def subview(source: ir.Value, offsets: Sequence[Offset], sizes: Sequence[Offset]) -> ir.Value:
    """Return a unit-stride part of a buffer (the buffer itself, if it is all of it)."""
    kind = ir.MemRefType(source.type)
    if list(sizes) == list(kind.shape):
        return source
    strides, begin = kind.get_strides_and_offset()
    unknown = ir.ShapedType.get_dynamic_stride_or_offset()
    for offset, stride in zip(offsets, strides, strict=True):
        known = isinstance(offset, int) and unknown not in (begin, stride)
        if offset != 0:
            begin = begin + offset * stride if known else unknown
    layout = ir.StridedLayoutAttr.get(begin, strides)
    static, shape = (
        [v if isinstance(v, int) else _DYNAMIC for v in values] for values in (offsets, sizes)
    )
    moving, varying = ([v for v in values if not isinstance(v, int)] for values in (offsets, sizes))
    result = ir.MemRefType.get(shape, kind.element_type, layout, kind.memory_space)
    return memref.SubViewOp(
        result, source, moving, varying, [], static, shape, [1] * len(shape)
    ).result


def on_chunk(
    op: ir.Operation, output: ir.Value, offsets: Sequence[Offset], sizes: Sequence[Offset]
) -> ir.Operation:
    """Clone an op for one chunk of its result; returns the clone.

    Args:
        op: all of its loops are indices of its output.
        output: what the clone writes, of the chunk's size.
        offsets: of the chunk in the op's output.
        sizes: of the chunk.
    """
    *reads, write = maps_of(op)
    place = {ir.AffineDimExpr(e).position: i for i, e in enumerate(write.results)}
    clone = op.clone()
    clone.operands[len(reads)] = output
    for i, access in enumerate(reads):
        operand = op.operands[i]
        if not isinstance(operand.type, ir.MemRefType):
            continue
        dims = [place.get(e.position) if isinstance(e, ir.AffineDimExpr) else None
                for e in access.results]  # fmt: skip
        shape = list(ir.MemRefType(operand.type).shape)
        part = [n if d is None else sizes[d] for n, d in zip(shape, dims, strict=True)]
        with ir.InsertionPoint(clone):
            clone.operands[i] = subview(
                operand, [0 if d is None else offsets[d] for d in dims], part
            )
    for index in [o.operation for o in clone.regions[0].blocks[0].operations]:
        if index.name == "linalg.index":
            _shift(index, offsets[place[ir.IntegerAttr(index.attributes["dim"]).value]])
    return clone.operation


def _shift(index: ir.Operation, offset: Offset) -> None:
    with ir.InsertionPoint.after(index), index.location:
        by = constant(offset) if isinstance(offset, int) else offset
        total = arith.AddIOp(index.results[0], by)
    index.results[0].replace_all_uses_except(total.result, total.operation)
