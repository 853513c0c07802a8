"""Which parts of other tensors a tensor consists of.

Flows in: a tensor that slices, insertions, fills and transposes have made. Flows out: `Piece`s:
boxes of the tensor, each with the value that its elements come from, and where in it they lie.
Boxes do not overlap; what none covers is undefined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from torch_mlir import ir

from bellrock.dialects.fold_movement import is_movement, maps_of

MOST_PIECES = 48
"""Parts of one tensor: each is a loop in the kernel that writes them."""
_DYNAMIC = ir.ShapedType.get_dynamic_size()

Range = tuple[int, int]
"""Begin and end."""


@dataclass(frozen=True, slots=True)
class Index:
    """Where to read along one dimension of a source: `offset + step * (index of loop dim)`."""

    offset: int
    dim: int | None = None
    """Dimension of the tensor that it moves with; None: it stays at the offset."""
    step: int = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """A box of a tensor, and where its elements come from."""

    box: tuple[Range, ...]
    source: ir.Value
    """A tensor, or the number that a fill writes."""
    access: tuple[Index, ...]
    """For each dimension of the source, in positions of the whole tensor."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Position of a slice, and which dimension of the slice each of the whole's is."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    kept: tuple[int | None, ...]
    """None: a dimension of size 1 that the slice's type leaves out."""


class TooManyPiecesError(Exception):
    """A tensor of more parts than are worth one kernel."""


def pieces_of(value: ir.Value, through: set[ir.Operation]) -> list[Piece]:
    """Return the parts of a tensor.

    Args:
        value: a tensor of static shape.
        through: the ops that may be looked through; what others make is a source.

    Raises:
        TooManyPiecesError: there are more than `MOST_PIECES`.
    """
    owner = value.owner
    op = None if isinstance(owner, ir.Block) else owner.operation
    if op is None or op not in through:
        shape = ir.RankedTensorType(value.type).shape
        found = [Piece(_whole(shape), value, tuple(Index(0, d) for d in range(len(shape))))]
    elif op.name == "tensor.empty":
        found = []
    elif op.name == "linalg.fill":
        found = [Piece(_whole(ir.RankedTensorType(value.type).shape), op.operands[0], ())]
    elif op.name == "linalg.copy":
        found = pieces_of(op.operands[0], through)
    elif op.name == "tensor.extract_slice":
        found = _extracted(pieces_of(op.operands[0], through), slice_of(op))
    elif op.name == "tensor.insert_slice":
        found = _inserted(
            pieces_of(op.operands[0], through), pieces_of(op.operands[1], through), slice_of(op)
        )
    else:
        found = _moved(pieces_of(op.operands[0], through), op)
    if len(found) > MOST_PIECES:
        raise TooManyPiecesError
    return found


def looks_through(op: ir.Operation) -> bool:
    """Whether an op only moves elements, in a way that `pieces_of` understands."""
    if op.name in ("tensor.empty", "linalg.fill", "linalg.copy"):
        return all(_is_static(r) for r in op.results)
    if op.name in ("tensor.extract_slice", "tensor.insert_slice"):
        inserts = op.name == "tensor.insert_slice"
        if len(op.operands) > 1 + inserts or not all(map(_is_static, (*op.operands, *op.results))):
            return False
        where = slice_of(op)
        return all(step == 1 for step in where.steps) or not inserts
    return op.name == "linalg.generic" and is_movement(op) and _is_static(op.results[0])


def _is_static(value: ir.Value) -> bool:
    kind = value.type
    if not isinstance(kind, ir.RankedTensorType):
        return True
    return kind.has_static_shape and kind.rank > 0 and min(kind.shape) > 0


def slice_of(op: ir.Operation) -> Slice:
    """Return where a slice of static position is."""
    offsets, sizes, steps = (
        tuple(ir.DenseI64ArrayAttr(op.attributes[f"static_{name}"]))
        for name in ("offsets", "sizes", "strides")
    )
    part = op.results[0] if op.name == "tensor.extract_slice" else op.operands[0]
    shape = ir.RankedTensorType(part.type).shape
    return Slice(offsets, sizes, steps, _kept(sizes, shape))


def _kept(sizes: Sequence[int], shape: Sequence[int]) -> tuple[int | None, ...]:
    """Return the dimension of the slice's type for each one of its sizes."""
    kept: list[int | None] = []
    at = 0
    for size in sizes:
        # Any of several dimensions of size 1 will do.
        keeps = at < len(shape) and shape[at] == size
        kept.append(at if keeps else None)
        at += keeps
    return tuple(kept)


def _whole(shape: Iterable[int]) -> tuple[Range, ...]:
    return tuple((0, size) for size in shape)


def _extracted(pieces: list[Piece], where: Slice) -> list[Piece]:
    """Return the parts of a slice of a tensor of parts."""
    found = []
    rank = sum(k is not None for k in where.kept)
    for piece in pieces:
        box: list[Range] = [(0, 1)] * rank
        empty = False
        for d, (begin, end) in enumerate(piece.box):
            offset, size, step = where.offsets[d], where.sizes[d], where.steps[d]
            low = max(0, -(-(begin - offset) // step))
            high = min(size, -(-(end - offset) // step))
            empty = empty or low >= high
            kept = where.kept[d]
            if kept is not None:
                box[kept] = (low, high)
        if not empty:
            access = tuple(_in_slice(index, where) for index in piece.access)
            found.append(Piece(tuple(box), piece.source, access))
    return found


def _in_slice(index: Index, where: Slice) -> Index:
    if index.dim is None:
        return index
    offset = index.offset + index.step * where.offsets[index.dim]
    kept = where.kept[index.dim]
    return Index(offset, kept, index.step * where.steps[index.dim] if kept is not None else 1)


def _inserted(parts: list[Piece], around: list[Piece], where: Slice) -> list[Piece]:
    """Return the parts of a tensor into which a slice was put."""
    hole = tuple((o, o + s) for o, s in zip(where.offsets, where.sizes, strict=True))
    found = [
        replace(piece, box=box) for piece in around for box in _without(piece.box, hole)
    ]  # fmt: skip
    back = {kept: d for d, kept in enumerate(where.kept) if kept is not None}
    for part in parts:
        box = tuple(
            hole[d] if kept is None else _shifted(part.box[kept], where.offsets[d])
            for d, kept in enumerate(where.kept)
        )
        access = tuple(
            index if index.dim is None else Index(
                index.offset - index.step * where.offsets[back[index.dim]], back[index.dim],
                index.step,
            )
            for index in part.access
        )  # fmt: skip
        found.append(Piece(box, part.source, access))
    return found


def _shifted(part: Range, by: int) -> Range:
    return part[0] + by, part[1] + by


def _without(box: tuple[Range, ...], hole: tuple[Range, ...]) -> list[tuple[Range, ...]]:
    """Return what is left of a box: slabs before and behind the hole, by dimension."""
    common = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(box, hole, strict=True)]
    if any(low >= high for low, high in common):
        return [box]
    found = []
    for d, (low, high) in enumerate(common):
        begin, end = box[d]
        for side in ((begin, low), (high, end)):
            if side[0] < side[1]:
                found.append((*common[:d], side, *box[d + 1 :]))
    return found


def _moved(pieces: list[Piece], op: ir.Operation) -> list[Piece]:
    """Return the parts of a transposed or broadcast tensor."""
    source, result = maps_of(op)[0], ir.RankedTensorType(op.results[0].type).shape
    loops = [ir.AffineDimExpr(e).position for e in source.results]
    found = []
    for piece in pieces:
        box = list(_whole(result))
        for d, loop in enumerate(loops):
            box[loop] = piece.box[d]
        access = tuple(
            index if index.dim is None else replace(index, dim=loops[index.dim])
            for index in piece.access
        )
        found.append(Piece(tuple(box), piece.source, access))
    return found
