"""Loops over neighbouring dimensions as one, where all operands allow it.

Flows in: an elementwise op on buffers, each of them indexed by all loops in order. Flows out: the
same op on collapsed buffers: a copy of images of 7 x 7 into part of a larger tensor then runs over
49 elements of each channel, and over all channels, instead of 7.
"""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import memref

from bellrock.dialects.extension import ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import iterators


def merge_loops(op: ir.Operation) -> None:
    """Merge what can be merged of one op, in place."""
    if len(op.results) or not all(isinstance(v.type, ir.MemRefType) for v in op.operands):
        return
    kinds = [ir.MemRefType(v.type) for v in op.operands]
    if any(kind.shape != kinds[0].shape for kind in kinds) or not _runs_in_order(op):
        return
    if not all(kind.has_static_shape and _has_strides(kind) for kind in kinds):
        return
    groups = _groups(kinds)
    if len(groups) == kinds[0].rank:
        return
    with ir.InsertionPoint(op), op.location:
        for i, kind in enumerate(kinds):
            op.operands[i] = _view(op.operands[i], _collapsed(kind, groups))
    if op.name == "linalg.generic":
        count = len(groups)
        identity = ir.AffineMapAttr.get(ir.AffineMap.get_identity(count, op.context))
        kind = ir.Attribute.parse("#linalg.iterator_type<parallel>", op.context)
        op.attributes["indexing_maps"] = ir.ArrayAttr.get([identity] * len(kinds), op.context)
        op.attributes["iterator_types"] = ir.ArrayAttr.get([kind] * count, op.context)


def _runs_in_order(op: ir.Operation) -> bool:
    if op.name == "linalg.copy":
        return True
    maps = maps_of(op)
    identity = ir.AffineMap.get_identity(maps[0].n_dims, op.context)
    return (
        "reduction" not in iterators(op)
        and all(m == identity for m in maps)
        and not ops_named(op, "linalg.index")
    )


def _has_strides(kind: ir.MemRefType) -> bool:
    return ir.ShapedType.get_dynamic_stride_or_offset() not in kind.get_strides_and_offset()[0]


def _groups(kinds: list[ir.MemRefType]) -> list[list[int]]:
    """Return runs of dimensions that lie without gaps in all operands."""
    shape = list(kinds[0].shape)
    strides = [kind.get_strides_and_offset()[0] for kind in kinds]
    groups: list[list[int]] = []
    for d in range(len(shape)):
        joined = d > 0 and all(s[d] >= 0 and s[d - 1] == s[d] * shape[d] for s in strides)
        if joined:
            groups[-1].append(d)
        else:
            groups.append([d])
    return groups


def _collapsed(kind: ir.MemRefType, groups: list[list[int]]) -> ir.MemRefType:
    shape, (strides, offset) = list(kind.shape), kind.get_strides_and_offset()
    sizes = []
    for group in groups:
        size = 1
        for d in group:
            size = shape[d] if len(group) == 1 else size * shape[d]
        sizes.append(size)
    layout = None
    if not isinstance(kind.layout, ir.AffineMapAttr):
        layout = ir.StridedLayoutAttr.get(offset, [strides[group[-1]] for group in groups])
    return ir.MemRefType.get(sizes, kind.element_type, layout, kind.memory_space)


def _view(buffer: ir.Value, kind: ir.MemRefType) -> ir.Value:
    """Return a buffer in another shape of the same elements.

    Not a `memref.collapse_shape`: `fold-memref-alias-ops` would fold that into divisions at each
    access.
    """
    index, given = ir.IndexType.get(), ir.MemRefType(buffer.type)
    base = ir.MemRefType.get([], kind.element_type, None, kind.memory_space)
    parts = ir.Operation.create(
        "memref.extract_strided_metadata", [base, index, *[index] * (2 * given.rank)], [buffer]
    )
    strides, offset = kind.get_strides_and_offset()
    sizes = list(kind.shape)
    dynamic = ir.ShapedType.get_dynamic_stride_or_offset()
    unknown = [parts.results[1]] if offset == dynamic else []
    return memref.ReinterpretCastOp(
        kind, parts.results[0], unknown, [], [], [offset], sizes, strides
    ).result
