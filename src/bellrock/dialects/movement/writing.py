"""One parallel loop that writes all parts of a tensor.

Flows in: the pieces of a tensor. Flows out: an `scf.forall` over blocks of it; a block takes from
each piece what lies in it. All parts are written by one parallel region, and a line of
the result that several of them share is written while it is in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch_mlir import ir
from torch_mlir.dialects import arith, linalg, scf, tensor

from bellrock.dialects.chunks import Offset, constant
from bellrock.dialects.movement.pieces import Index, Piece

BLOCK_ELEMENTS = 8192
"""Of a block, about: it stays in the L1 cache together with what it is made of."""
FEWEST_BLOCKS = 32
"""Of a tensor that is worth a parallel loop at all: several for each core."""
CROSSING = 64
"""Elements along a dimension in which a source is contiguous and the result is not: whole
lines of the source are read by one block."""
_DYNAMIC = ir.ShapedType.get_dynamic_size()


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where a block is along one dimension."""

    begin: Offset
    size: Offset
    tile: int
    """Size of a whole block."""
    whole: int
    """Size of the tensor."""


def write_pieces(kind: ir.RankedTensorType, pieces: Sequence[Piece]) -> ir.Value:
    """Emit the loop at the insertion point; returns the tensor."""
    shape = list(kind.shape)
    tile = block_of(shape, pieces)
    empty = tensor.EmptyOp(shape, kind.element_type).result
    forall = scf.ForallOp([0] * len(shape), shape, tile, [empty])
    with ir.InsertionPoint(forall.body):
        places = list(forall.induction_variables)
        extents = [_extent(*e) for e in zip(places, tile, shape, strict=True)]
        begins, sizes = [e.begin for e in extents], [e.size for e in extents]
        shared = forall.inner_iter_args[0]
        block = _slice(shared, begins, sizes)
        for piece in pieces:
            block = _written(block, piece, extents)
        ending = scf.InParallelOp()
        with ir.InsertionPoint(ending.regions[0].blocks[0]):
            tensor.ParallelInsertSliceOp(block, shared, *_position(begins, sizes))
    return forall.results[0]


def block_of(shape: Sequence[int], pieces: Sequence[Piece]) -> list[int]:
    """Return the sizes of a block: long along memory, of the result and of the sources."""
    last = len(shape) - 1
    total = math.prod(shape)
    target = max(1, min(BLOCK_ELEMENTS, total // FEWEST_BLOCKS))
    if total <= BLOCK_ELEMENTS:
        target = total
    crossed = {p.access[-1].dim for p in pieces if p.access} - {None, last}
    tile = [min(n, CROSSING) if d in crossed else 1 for d, n in enumerate(shape)]
    for d in reversed(range(len(shape))):
        room = max(1, target // math.prod(tile) * tile[d])
        if d not in crossed:
            ends = {end for piece in pieces for end in piece.box[d]}
            tile[d] = _even(math.gcd(*ends), shape[d], min(shape[d], room))
    return tile


def _even(common: int, size: int, target: int) -> int:
    """Return a size of blocks up to the target; best if no end of a piece is inside of a block.

    Args:
        common: divides where pieces begin and end.
        size: of the tensor.
        target: size to aim at.
    """
    for whole, least in ((common, target // 4), (size, target // 2)):
        fitting = (n for n in range(target, least, -1) if whole % n == 0)
        if (found := next(fitting, None)) is not None:
            return found
    return target


def _extent(place: ir.Value, tile: int, whole: int) -> _Extent:
    if tile == whole:
        return _Extent(0, tile, tile, whole)
    if whole % tile == 0:
        return _Extent(place, tile, tile, whole)
    left = arith.subi(constant(whole), place)
    return _Extent(place, arith.minsi(left, constant(tile)), tile, whole)


def _written(block: ir.Value, piece: Piece, extents: Sequence[_Extent]) -> ir.Value:
    """Write the part of a piece that lies in a block."""
    for d, (box, extent) in enumerate(zip(piece.box, extents, strict=True)):
        if box == (0, extent.whole) or isinstance(extent.begin, int) or not _aligned(box, extent):
            continue
        # All of the block or nothing: a loop of one iteration or none, bufferised in place.
        begin, end = _bounds(box, extent)
        loop = scf.ForOp(begin, end, constant(extent.tile), [block])
        around = tuple((0, e.whole) if n == d else b for n, (b, e) in
                       enumerate(zip(piece.box, extents, strict=True)))  # fmt: skip
        with ir.InsertionPoint(loop.body):
            scf.YieldOp([_written(loop.inner_iter_args[0], replace(piece, box=around), extents)])
        return loop.results[0]
    return _moved(block, piece, extents)


def _aligned(box: tuple[int, int], extent: _Extent) -> bool:
    """Whether a piece has each block as a whole or not at all."""
    return all(n % extent.tile == 0 for n in (*box, extent.whole))


def _moved(block: ir.Value, piece: Piece, extents: Sequence[_Extent]) -> ir.Value:
    common = [_common(*both) for both in zip(piece.box, extents, strict=True)]
    begins, sizes = [c[0] for c in common], [c[1] for c in common]
    inside = [_difference(b, e.begin) for b, e in zip(begins, extents, strict=True)]
    place = _slice(block, inside, sizes)
    if not piece.access:
        written = linalg.fill(piece.source, outs=[place])
    else:
        written = _copied(piece, begins, sizes, place)
    return tensor.InsertSliceOp(written, block, *_position(inside, sizes)).result


def _common(box: tuple[int, int], extent: _Extent) -> tuple[Offset, Offset]:
    """Return begin and size of what a piece and a block share along one dimension."""
    low, high = box
    if (low, high) == (0, extent.whole):
        return extent.begin, extent.size
    if isinstance(extent.begin, int):
        return low, high - low
    begin, end = _bounds(box, extent)
    return begin, arith.maxsi(arith.subi(end, begin), constant(0))


def _bounds(box: tuple[int, int], extent: _Extent) -> tuple[ir.Value, ir.Value]:
    """Return where what they share begins and ends; it ends before it begins if it is nothing."""
    first = _value(extent.begin)
    begin = arith.maxsi(first, constant(box[0]))
    return begin, arith.minsi(arith.addi(first, constant(extent.tile)), constant(box[1]))


def _copied(
    piece: Piece, begins: Sequence[Offset], sizes: Sequence[Offset], place: ir.Value
) -> ir.Value:
    """Emit the copy of a part of a source."""
    offsets = [_first(index, begins) for index in piece.access]
    lengths: list[Offset] = [1 if i.dim is None else sizes[i.dim] for i in piece.access]
    steps = [i.step for i in piece.access]
    moving = [i.dim for i in piece.access if i.dim is not None]
    kept = [i.dim is not None for i in piece.access]
    source = _slice(piece.source, offsets, lengths, steps, kept)
    count = len(sizes)
    access = ir.AffineMap.get(count, 0, [ir.AffineExpr.get_dim(d) for d in moving])
    identity = ir.AffineMap.get_identity(count)
    if access == identity:
        return linalg.copy(source, outs=[place])  # a generic would be folded into its source
    maps = [access, identity]
    copy = linalg.GenericOp(
        [place.type], [source], [place],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        ir.ArrayAttr.get([ir.Attribute.parse("#linalg.iterator_type<parallel>")] * count),
    )  # fmt: skip
    kind = ir.RankedTensorType(place.type).element_type
    body = copy.regions[0].blocks.append(kind, kind)
    with ir.InsertionPoint(body):
        linalg.YieldOp([body.arguments[0]])
    return copy.results[0]


def _first(index: Index, begins: Sequence[Offset]) -> Offset:
    """Return the lowest position of a source that is read."""
    if index.dim is None:
        return index.offset
    return _sum(_product(begins[index.dim], index.step), index.offset)


def _slice(
    whole: ir.Value,
    offsets: Sequence[Offset],
    sizes: Sequence[Offset],
    steps: Sequence[int] | None = None,
    kept: Sequence[bool] | None = None,
) -> ir.Value:
    shape = [n if isinstance(n, int) else _DYNAMIC for n in sizes]
    left = [n for n, keep in zip(shape, kept or [True] * len(shape), strict=True) if keep]
    kind = ir.RankedTensorType.get(left, ir.RankedTensorType(whole.type).element_type)
    return tensor.ExtractSliceOp(kind, whole, *_position(offsets, sizes, steps)).result


_Numbers = list[ir.Value] | list[int]


def _position(
    offsets: Sequence[Offset], sizes: Sequence[Offset], steps: Sequence[int] | None = None
) -> tuple[_Numbers, ...]:
    """Return dynamic offsets, sizes, steps, and static ones, as ops on slices take them."""
    moving, varying = ([v for v in vs if not isinstance(v, int)] for vs in (offsets, sizes))
    static = [[v if isinstance(v, int) else _DYNAMIC for v in vs] for vs in (offsets, sizes)]
    return moving, varying, [], *static, list(steps or [1] * len(offsets))


def _value(number: Offset) -> ir.Value:
    return constant(number) if isinstance(number, int) else number


def _sum(a: Offset, b: int) -> Offset:
    return a + b if isinstance(a, int) else a if b == 0 else arith.addi(a, constant(b))


def _product(a: Offset, b: int) -> Offset:
    return a * b if isinstance(a, int) else a if b == 1 else arith.muli(a, constant(b))


def _difference(a: Offset, b: Offset) -> Offset:
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    return 0 if a is b else arith.subi(_value(a), _value(b))
