"""Where the tensors of a kernel lie in memory: strides from arguments, through views.

Flows in: tensor values of a kernel function, affine maps. Flows out: `Source` (argument, offset,
strides by dimension) and `Operand` (the same by loop), from which addresses are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects import vector_code as code
from bellrock.dialects.vector_code import Index
from bellrock.payload.motifs.access import Access


@dataclass(frozen=True, slots=True)
class Source:
    """A tensor as part of a function argument, which is dense."""

    argument: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    positions: tuple[tuple[int, int], ...] = ()
    """What is added to the offset: number of an argument of type `index`, and its step."""

    @property
    def dense(self) -> bool:
        """Whether elements follow each other without gaps, in order."""
        return self.strides == row_major(self.shape)


@dataclass(frozen=True, slots=True)
class Image:
    """A tensor as a source with padding around it."""

    source: Source
    low: tuple[int, ...]
    """Padding before the source, by dimension."""
    spread: tuple[int, ...]
    """Distance of the source's elements, by dimension; the padding is between them."""
    padding: ir.Value | None
    """The scalar around the source; None where there is none."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor as an op reads or writes it: address = offset + sum of loop * stride."""

    argument: int
    offset: Index
    strides: Mapping[int, int]
    """By loop; a loop that does not move it has no entry."""
    positions: tuple[tuple[int, int], ...] = ()
    """What is added to the offset: see `Source`."""

    def at_positions(self, arguments: Sequence[ir.Value]) -> Operand:
        """Emit the offset, with what arguments add to it."""
        moved = [code.scaled(arguments[number], step) for number, step in self.positions]
        return Operand(self.argument, code.add(self.offset, *moved), self.strides)

    def stride(self, loop: int | None) -> int:
        """Return the step in elements along a loop."""
        return 0 if loop is None else self.strides.get(loop, 0)


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a dense tensor."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def owner_of(value: ir.Value) -> ir.Operation | None:
    """Return the op that makes a value, or None for an argument."""
    owner = value.owner
    return None if isinstance(owner, ir.Block) else owner.operation


def source_of(value: ir.Value, *, positions: bool = False) -> Source | None:
    """Return where a tensor lies, if it is (a view of) an argument.

    Args:
        value: the tensor.
        positions: whether slices may start where arguments say, and not at known places only.
    """
    kind = value.type
    if not isinstance(kind, ir.RankedTensorType) or not kind.has_static_shape:
        return None
    shape = tuple(kind.shape)
    owner = owner_of(value)
    if owner is None:
        return Source(ir.BlockArgument(value).arg_number, 0, shape, row_major(shape))
    if owner.name in ("tensor.expand_shape", "tensor.collapse_shape", "tensor.cast"):
        inner = source_of(owner.operands[0], positions=positions)
        return None if inner is None else _reshaped(inner, shape)
    if owner.name == "tensor.extract_slice":
        inner = source_of(owner.operands[0], positions=positions)
        known = len(owner.operands) == 1
        return _sliced(inner, owner, shape) if inner is not None and (positions or known) else None
    return None


def _reshaped(inner: Source, shape: tuple[int, ...]) -> Source | None:
    """Return a tensor in another shape, if its elements have steps of their own in it.

    Old dimensions that are one walk through memory are one *run*; each new dimension has to be a
    part of one run.
    """
    runs: list[tuple[int, int]] = []
    for size, stride in zip(inner.shape, inner.strides, strict=True):
        if size == 1:
            continue
        if runs and runs[-1][1] == size * stride:
            runs[-1] = (runs[-1][0] * size, stride)
        else:
            runs.append((size, stride))
    strides: list[int] = []
    left, step = 1, 1
    for size in reversed(shape):
        if left == 1 and size != 1:
            if not runs:
                return None
            left, step = runs.pop()
        if left % size != 0:
            return None
        strides.append(step)
        left //= size
        step *= size
    if left != 1 or runs:
        return None
    steps = tuple(reversed(strides))
    return Source(inner.argument, inner.offset, shape, steps, inner.positions)


def _sliced(inner: Source, op: ir.Operation, shape: tuple[int, ...]) -> Source | None:
    offsets, sizes, steps = (
        tuple(ir.DenseI64ArrayAttr(op.attributes[n]))
        for n in ("static_offsets", "static_sizes", "static_strides")
    )
    kept = _kept(sizes, shape)
    unknown = [d for d, o in enumerate(offsets) if o == ir.ShapedType.get_dynamic_size()]
    given = list(op.operands)[1:]
    if kept is None or len(given) != len(unknown) or any(owner_of(v) is not None for v in given):
        return None
    offset = inner.offset + sum(
        o * s for d, (o, s) in enumerate(zip(offsets, inner.strides, strict=True))
        if d not in unknown
    )  # fmt: skip
    positions = [(ir.BlockArgument(v).arg_number, inner.strides[d])
                 for d, v in zip(unknown, given, strict=True)]  # fmt: skip
    strides = tuple(steps[d] * inner.strides[d] for d in kept)
    return Source(inner.argument, offset, shape, strides, (*inner.positions, *positions))


def image_of(value: ir.Value) -> Image | None:
    """Return where a tensor lies that may be a pad, or a pad in another shape."""
    source = source_of(value)
    if source is not None:
        return Image(source, (0,) * len(source.shape), (1,) * len(source.shape), None)
    owner = owner_of(value)
    if owner is not None and owner.name == "tensor.expand_shape":
        inner = image_of(owner.operands[0])
        return None if inner is None else _expanded(inner, owner)
    if owner is not None and owner.name == "tensor.extract_slice":
        inner = image_of(owner.operands[0])
        return None if inner is None else _trimmed(inner, owner)
    if owner is not None and owner.name == "tensor.collapse_shape":
        inner = image_of(owner.operands[0])
        kept = kept_by_collapse(owner)
        return None if inner is None or kept is None else _dropped(inner, kept, inner.low)
    base = owner_of(owner.operands[1]) if owner and owner.name == "tensor.insert_slice" else None
    if owner is None or base is None or base.name != "linalg.fill" or len(owner.operands) != 2:
        return None
    source = source_of(owner.operands[0])
    spread = tuple(ir.DenseI64ArrayAttr(owner.attributes["static_strides"]))
    if source is None:
        return None
    low = tuple(ir.DenseI64ArrayAttr(owner.attributes["static_offsets"]))
    sizes = tuple(ir.DenseI64ArrayAttr(owner.attributes["static_sizes"]))
    kept = _kept(sizes, source.shape)
    if kept is None:
        return None
    strides = [0] * len(sizes)
    for dimension, stride in zip(kept, source.strides, strict=True):
        strides[dimension] = stride
    return Image(Source(source.argument, source.offset, sizes, tuple(strides)), low, spread,
                 base.operands[0])  # fmt: skip


def _kept(sizes: Sequence[int], shape: Sequence[int]) -> list[int] | None:
    """Return which dimensions of a slice a tensor has that may lack some of size 1."""
    kept: list[int] = []
    for dimension, size in enumerate(sizes):
        if len(kept) < len(shape) and shape[len(kept)] == size:
            kept.append(dimension)
        elif size != 1:
            return None
    return kept if len(kept) == len(shape) else None


def _trimmed(inner: Image, op: ir.Operation) -> Image | None:
    """Start later: padding is cut off, or elements of the source are."""
    offsets, steps, sizes = (
        tuple(ir.DenseI64ArrayAttr(op.attributes[n]))
        for n in ("static_offsets", "static_strides", "static_sizes")
    )
    kept = _kept(sizes, tuple(ir.RankedTensorType(op.results[0].type).shape))
    if len(op.operands) != 1 or any(s != 1 for s in steps) or kept is None:
        return None
    return _dropped(inner, kept, [b - o for b, o in zip(inner.low, offsets, strict=True)])


def _dropped(inner: Image, kept: Sequence[int], low: Sequence[int]) -> Image | None:
    """Leave out dimensions of which one position is read, if that is the source's.

    Args:
        inner: the image with these dimensions.
        kept: the others.
        low: padding before the source, by dimension; a negative one starts inside of it.
    """
    offset = inner.source.offset
    for dimension, (before, size) in enumerate(zip(low, inner.source.shape, strict=True)):
        if dimension in kept:
            continue
        if not 0 <= -before < size or inner.spread[dimension] != 1:
            return None
        offset -= before * inner.source.strides[dimension]
    shape, strides = (tuple(v[d] for d in kept) for v in (inner.source.shape, inner.source.strides))
    source = Source(inner.source.argument, offset, shape, strides)
    return Image(source, tuple(low[d] for d in kept), tuple(inner.spread[d] for d in kept),
                 inner.padding)  # fmt: skip


def kept_by_collapse(op: ir.Operation) -> list[int] | None:
    """Return the dimensions that a `collapse_shape` keeps, if all others have the size 1."""
    shape = list(ir.RankedTensorType(op.operands[0].type).shape)
    kept: list[int] = []
    for group in ir.ArrayAttr(op.attributes["reassociation"]):
        dimensions = [ir.IntegerAttr(i).value for i in ir.ArrayAttr(group)]
        wide = [d for d in dimensions if shape[d] != 1] or dimensions[:1]
        if len(wide) > 1:
            return None
        kept += wide
    return kept


def _expanded(inner: Image, op: ir.Operation) -> Image | None:
    """Split dimensions that are not padded."""
    shape, strides, low, spread = [], [], [], []
    result = list(ir.RankedTensorType(op.results[0].type).shape)
    padded = list(ir.RankedTensorType(op.operands[0].type).shape)
    groups = [[ir.IntegerAttr(i).value for i in ir.ArrayAttr(g)]
              for g in ir.ArrayAttr(op.attributes["reassociation"])]  # fmt: skip
    for dimension, group in enumerate(groups):
        parts = [result[i] for i in group]
        if len(parts) > 1 and padded[dimension] != inner.source.shape[dimension]:
            return None
        shape += parts if len(parts) > 1 else [inner.source.shape[dimension]]
        strides += [s * inner.source.strides[dimension] for s in row_major(parts)]
        low += [0] * len(parts) if len(parts) > 1 else [inner.low[dimension]]
        spread += [1] * len(parts) if len(parts) > 1 else [inner.spread[dimension]]
    source = Source(inner.source.argument, inner.source.offset, tuple(shape), tuple(strides))
    return Image(source, tuple(low), tuple(spread), inner.padding)


def operand_of(
    source: Source, access: Access, loops: Sequence[int] | None = None
) -> Operand | None:
    """Return a tensor's strides by loop, if it is indexed linearly.

    Args:
        source: of the tensor.
        access: how it is indexed.
        loops: the loop that each loop of `access` stands for; the same when not given.
    """
    strides: dict[int, int] = {}
    offset = source.offset
    for expr, step in zip(access, source.strides, strict=True):
        if not expr.linear:
            return None
        offset += expr.constant * step
        for number, factor in expr.terms:
            loop = number if loops is None else loops[number]
            strides[loop] = strides.get(loop, 0) + factor * step
    return Operand(source.argument, offset, strides, source.positions)


def address(operand: Operand, position: Mapping[int, Index]) -> Index:
    """Emit where an operand is, at a position by loop."""
    terms = [code.scaled(at, operand.stride(loop)) for loop, at in position.items()]
    return code.add(operand.offset, *terms)
