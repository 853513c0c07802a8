"""`transform.bellrock.collapse_loops`: neighbouring loops over contiguous memory become one.

Missing upstream: `structured.flatten_elementwise` takes identity maps only, and passes that
collapse reshape tensors, before buffers have strides. Here a run of loops that
every operand either walks contiguously or does not read at all becomes one loop: vectors are
whole up to the end of an image instead of the end of each of its lines.

Rewrite, where %x is contiguous:
    linalg.generic (d0, d1, d2) -> x(d0, d1, d2), m(d0), y(d0, d1, d2) ins(%x, %m: 8x60x61, 8)
  ->
    %f = memref.reinterpret_cast %x to sizes: [8, 3660], strides: [3660, 1]
    linalg.generic (d0, d1) -> x(d0, d1), m(d0), y(d0, d1) ins(%f, %m: 8x3660, 8)

Leaves alone: loops whose index is read, whose neighbour is of another kind, or along which an
operand is not projected.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, memref, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import iterators

_DYNAMIC = ir.ShapedType.get_dynamic_stride_or_offset()
_ANY_SIZE = ir.ShapedType.get_dynamic_size()


@edits_in_place(lambda op: _collapse_all(op))
class CollapseLoopsOp(Bellrock.Operation, name="collapse_loops"):
    """Collapse the loops of the generics on buffers below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


@dataclass(frozen=True, slots=True)
class _Step:
    """How an operand is walked by a run of loops."""

    dims: list[int]
    """That it runs along; only the first may be of dynamic size."""
    size: int
    stride: int


def _collapse_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        if _is_plain(op):
            runs = _runs(op)
            if len(runs) < maps_of(op)[0].n_dims:
                _collapse(op, runs)


def _is_plain(op: ir.Operation) -> bool:
    """Whether an op is on buffers of known strides, each dimension of which is a loop."""
    if len(op.results) or not maps_of(op):
        return False
    return all(
        not len(access.results)
        or (_has_strides(value) and all(isinstance(e, ir.AffineDimExpr) for e in access.results)
            and len({str(e) for e in access.results}) == len(access.results))
        for value, access in zip(op.operands, maps_of(op), strict=True)
    )  # fmt: skip


def _has_strides(value: ir.Value) -> bool:
    if not isinstance(value.type, ir.MemRefType):
        return False
    return _DYNAMIC not in ir.MemRefType(value.type).get_strides_and_offset()[0]


def _runs(op: ir.Operation) -> list[list[int]]:
    """Return the loops in their order, in runs of those that become one."""
    kinds, maps = iterators(op), maps_of(op)
    read = {ir.IntegerAttr(i.attributes["dim"]).value for i in ops_named(op, "linalg.index")}
    runs = [[len(kinds) - 1]]
    for loop in reversed(range(len(kinds) - 1)):
        run = runs[0]
        fits = (
            kinds[loop] == kinds[run[0]]
            and not read & {loop, *run}
            and all(_continues(op.operands[i], m, loop, run) for i, m in enumerate(maps))
        )
        if fits:
            run.insert(0, loop)
        else:
            runs.insert(0, [loop])
    return runs


def _dims(access: ir.AffineMap, loops: list[int]) -> list[int]:
    """Return the dimensions of an operand that run along some loops, in the loops' order."""
    position = [ir.AffineDimExpr(e).position for e in access.results]
    return [position.index(loop) for loop in loops if loop in position]


def _continues(value: ir.Value, access: ir.AffineMap, loop: int, run: list[int]) -> bool:
    """Whether an operand is walked by a loop around a run as if it were one loop more of it."""
    dims = _dims(access, [loop, *run])
    if not dims:
        return True
    if len(dims) != len(run) + 1 or dims != list(range(dims[0], dims[0] + len(dims))):
        return False
    outer, inner = _step(value, dims[:1]), _step(value, dims[1:])
    follows = inner.size != _ANY_SIZE and outer.stride == inner.stride * inner.size
    return follows or 1 in (outer.size, inner.size)


def _step(value: ir.Value, dims: list[int]) -> _Step:
    """Return the one loop that dimensions which continue each other are."""
    kind = ir.MemRefType(value.type)
    strides, _ = kind.get_strides_and_offset()
    size, stride = 1, strides[dims[-1]]
    for d in reversed(dims):
        if size == 1 and kind.shape[d] != 1:
            stride = strides[d]
        size = _ANY_SIZE if kind.shape[d] == _ANY_SIZE else size * kind.shape[d]
    return _Step(dims, size, stride)


def _collapse(op: ir.Operation, runs: list[list[int]]) -> None:
    """Change an op's operands and maps in place."""
    number = {run[0]: n for n, run in enumerate(runs)}
    context = op.context
    maps: list[ir.Attribute] = []
    for i, access in enumerate(maps_of(op)):
        left: list[int] = [
            d for e in access.results if (d := ir.AffineDimExpr(e).position) in number
        ]
        exprs = [ir.AffineDimExpr.get(number[d], context) for d in left]
        maps.append(ir.AffineMapAttr.get(ir.AffineMap.get(len(runs), 0, exprs, context)))
        if len(left) < len(access.results):
            steps = [_step(op.operands[i], _dims(access, runs[number[d]])) for d in left]
            with ir.InsertionPoint(op), op.location:
                op.operands[i] = _seen_as(op.operands[i], steps)
    kinds = list(ir.ArrayAttr(op.attributes["iterator_types"]))
    op.attributes["indexing_maps"] = ir.ArrayAttr.get(maps, context)
    op.attributes["iterator_types"] = ir.ArrayAttr.get([kinds[run[0]] for run in runs], context)
    i64 = ir.IntegerType.get_signless(64, context)
    for index in ops_named(op, "linalg.index"):
        loop = number[ir.IntegerAttr(index.attributes["dim"]).value]
        index.attributes["dim"] = ir.IntegerAttr.get(i64, loop)


def _seen_as(value: ir.Value, steps: list[_Step]) -> ir.Value:
    """Return a buffer seen with other sizes and strides, from the same place on."""
    kind = ir.MemRefType(value.type)
    parts = memref.ExtractStridedMetadataOp(value)
    _, offset = kind.get_strides_and_offset()
    sizes, strides = [s.size for s in steps], [s.stride for s in steps]
    layout = ir.StridedLayoutAttr.get(offset, strides)
    result = ir.MemRefType.get(sizes, kind.element_type, layout, kind.memory_space)
    at = [parts.results[1]] if offset == _DYNAMIC else []
    unknown = [_size(kind, parts, step.dims) for step in steps if step.size == _ANY_SIZE]
    return memref.ReinterpretCastOp(
        result, parts.results[0], at, unknown, [], [offset], sizes, strides
    ).result


def _size(kind: ir.MemRefType, parts: memref.ExtractStridedMetadataOp, dims: list[int]) -> ir.Value:
    """Return the product of sizes, one of which is known at run time only."""
    static = math.prod(kind.shape[d] for d in dims if kind.shape[d] != _ANY_SIZE)
    (unknown,) = [parts.results[2 + d] for d in dims if kind.shape[d] == _ANY_SIZE]
    return arith.MulIOp(unknown, arith.ConstantOp(ir.IndexType.get(), static).result).result


OPS = (CollapseLoopsOp,)
