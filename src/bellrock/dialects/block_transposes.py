"""`transform.bellrock.block_transposes`: elementwise ops that read across their result's memory.

Missing upstream at this level: a cache-blocked transpose of operands. Where an operand runs along
another loop than the result does, one of the two is walked in large steps, and each cache
line is fetched once for every element of it. Here such an op goes by square blocks of one line
a side: the operand's block is first copied into a small buffer, line by line, the way it
lies, and read from there the way it is needed.

Rewrite (f32):
    linalg.generic {maps = [(i, j) -> (j, i), (i, j) -> (i, j)]} ins(%x) outs(%y)
  ->
    scf.for %i step 16 { scf.for %j step 16 {
      copy %x[%j .. 16, %i .. 16] to %block, transposed
      linalg.generic ins(%block) outs(%y[%i .. 16, %j .. 16]) } }
    (and what is left at the ends)

Needs: buffers of known strides; parallel loops, each an index of the one output.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, linalg, memref, transform

from bellrock.dialects.chunks import Offset, constant, each_chunk, on_chunk, subview
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import iterators
from bellrock.dialects.loop_order import loop_sizes, operand_strides
from bellrock.dialects.register_transpose import transpose_in_registers, transposes_in_registers
from bellrock.dialects.row_space import element_bytes

LINE_BYTES = 64
SHORTEST = 8
"""Iterations of either loop below which lines are not walked often enough to matter."""
SMALLEST_BYTES = 1 << 12
"""Of an operand: a smaller one is not worth the blocks' code; what fits into the L1 cache gains
from transposing in registers alone."""

_ASSUMED = 64
"""Of a size that is not known: what is left of uneven blocks."""


@edits_in_place(lambda op: _block_all(op))
class BlockTransposesOp(Bellrock.Operation, name="block_transposes"):
    """Block the transposing generics below the handle's ops (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _block_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        crossing = _crossing(op)
        if crossing:
            with ir.InsertionPoint(op), op.location:
                _block(op, crossing)
            op.erase()


def _crossing(op: ir.Operation) -> dict[int, int]:
    """Return operand -> its own contiguous loop, where that is not the result's."""
    if len(op.results) or "reduction" in iterators(op):
        return {}
    maps, output = maps_of(op), len(op.operands) - 1
    if not maps[output].is_permutation:
        return {}
    along = _contiguous_loop(op, output)
    sizes = dict.fromkeys(range(maps[output].n_dims), SHORTEST) | loop_sizes(op)
    if along is None or sizes[along] < SHORTEST:
        return {}
    found: dict[int, int] = {}
    for i in range(output):
        own = _contiguous_loop(op, i)
        if own is None or own == along or sizes[own] < SHORTEST:
            continue
        strides = operand_strides(op.operands[i], maps[i])
        if strides is not None and strides[along] and _is_large(op.operands[i]):
            found[i] = own
    # Blocks are squares of the result's line and one other loop.
    return found if len(set(found.values())) == 1 else {}


def _is_large(value: ir.Value) -> bool:
    kind = ir.MemRefType(value.type)
    size = element_bytes(kind.element_type)
    for n in kind.shape:
        size *= _ASSUMED if n == ir.ShapedType.get_dynamic_size() else n
    return size >= SMALLEST_BYTES


def _contiguous_loop(op: ir.Operation, operand: int) -> int | None:
    """Return the one loop along which an operand's elements are neighbours."""
    value, access = op.operands[operand], maps_of(op)[operand]
    if not isinstance(value.type, ir.MemRefType) or not access.is_projected_permutation:
        return None
    strides = operand_strides(value, access)
    loops = [] if strides is None else [d for d, s in enumerate(strides) if s == 1]
    return loops[0] if len(loops) == 1 else None


def _block(op: ir.Operation, crossing: dict[int, int]) -> None:
    output = op.operands[len(op.operands) - 1]
    kind = ir.MemRefType(output.type)
    loops = [ir.AffineDimExpr(e).position for e in maps_of(op)[-1].results]
    along = _contiguous_loop(op, len(op.operands) - 1)
    other = next(iter(crossing.values()))
    width = max(element_bytes(ir.MemRefType(op.operands[i].type).element_type) for i in crossing)
    side = LINE_BYTES // max(width, element_bytes(kind.element_type))
    sizes = [side if loop in (along, other) else 1 for loop in loops]
    whole = [_size(output, d) for d in range(kind.rank)]
    sizes = [min(n, s) if isinstance(n, int) else s for n, s in zip(whole, sizes, strict=True)]

    def chunk(offsets: list[Offset], shape: list[Offset]) -> None:
        clone = on_chunk(op, subview(output, offsets, shape), offsets, shape)
        if not all(isinstance(n, int) for n in shape):
            return  # the end of an uneven block: read across
        with ir.InsertionPoint(clone):
            for i in crossing:
                clone.operands[i] = _turned(clone.operands[i], maps_of(op)[i], loops)
        maps = maps_of(op)
        for i in crossing:
            maps[i] = _in_order(maps[i], loops)
        clone.attributes["indexing_maps"] = ir.ArrayAttr.get(
            [ir.AffineMapAttr.get(m) for m in maps], op.context
        )

    each_chunk(whole, sizes, chunk)


def _size(value: ir.Value, dimension: int) -> Offset:
    known = ir.MemRefType(value.type).shape[dimension]
    if known != ir.ShapedType.get_dynamic_size():
        return known
    return memref.DimOp(value, constant(dimension)).result


def _in_order(access: ir.AffineMap, loops: list[int]) -> ir.AffineMap:
    """Return the map of an operand whose dimensions come in the result's order."""
    own = {ir.AffineDimExpr(e).position: e for e in access.results}
    ordered = [own[loop] for loop in loops if loop in own]
    return ir.AffineMap.get(access.n_dims, 0, ordered, access.context)


def _turned(source: ir.Value, access: ir.AffineMap, loops: list[int]) -> ir.Value:
    """Copy a block into a buffer whose dimensions come in the result's order."""
    kind = ir.MemRefType(source.type)
    own = [ir.AffineDimExpr(e).position for e in access.results]
    order = [own.index(loop) for loop in loops if loop in own]
    buffer = memref.AllocaOp(
        ir.MemRefType.get([kind.shape[d] for d in order], kind.element_type), [], [],
        alignment=LINE_BYTES,
    ).result  # fmt: skip
    if transposes_in_registers(source, buffer):
        transpose_in_registers(source, buffer, order)
        return buffer
    count = len(own)
    maps = [
        ir.AffineMap.get_identity(count),
        ir.AffineMap.get(count, 0, [ir.AffineExpr.get_dim(d) for d in order]),
    ]
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    copy = linalg.GenericOp(
        [], [source], [buffer], ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        ir.ArrayAttr.get([parallel] * count),
    )  # fmt: skip
    body = copy.regions[0].blocks.append(kind.element_type, kind.element_type)
    with ir.InsertionPoint(body):
        linalg.YieldOp([body.arguments[0]])
    return buffer


OPS = (BlockTransposesOp,)
