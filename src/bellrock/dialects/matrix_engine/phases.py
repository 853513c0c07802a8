"""`transform.bellrock.gather_phases`: transposed convolutions as convolutions without zeros.

A transposed convolution is one over an image with zeros between its elements: a product of all
channels and taps is mostly with zeros. Results whose positions have the same remainder by the
spread (a *phase*) meet the same taps. All phases together are one convolution of the plain image,
in which each phase has output channels of its own.

Rewrite (spread 2, 4 taps, 1 position of padding; `d` goes over 2 positions instead of 4):
    %p = tensor.insert_slice %x into %zeros[0, 0, 2] [n, c, l] [1, 1, 2]
    %r = generic (n, f, o, c, k) -> %p(n, c, o + k) * %w(f, c, k)
  ->
    %v(p, f, c, d) = %w(f, c, 2 * d + 1 - p), 0 where there is no such tap
    %y(n, f, q, p) = generic (n, f, q, c, d, p) -> %x(n, c, q + d) * %v(p, f, c, d)
    %r = tensor.collapse_shape %y [[0], [1], [2, 3]]

Needs: static shapes, factors in f16 or bf16, steps of 1 between results and between taps where the
image is spread; a pad that nothing stands behind. Filters that are weights are prepared once.
"""

# No postponed annotations here: the dialect reads the field types from them.
import itertools
import math
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.convolution.operands import owner_of
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import init_index, iterators
from bellrock.dialects.matrix_engine.views import is_dynamic, slice_of
from bellrock.dialects.pads import PAD
from bellrock.dialects.raise_reshapes import generic_like, refinement
from bellrock.payload.motif import MotifKind, find_motif
from bellrock.payload.motifs.convolution import TRANSPOSED
from bellrock.payload.motifs.structured import Structured, read_structured

_ELEMENTS = {"f16", "bf16"}


@edits_in_place(lambda op: _gather_all(op))
class GatherPhasesOp(Bellrock.Operation, name="gather_phases"):
    """Gather the phases of the transposed convolutions below the handle."""

    target: ext.Operand[transform.AnyOpType]


@dataclass(frozen=True, slots=True)
class Axis:
    """A dimension along which the image is spread."""

    dimension: int
    """Of the image."""
    output: int
    """Loop over results."""
    tap: int
    """Loop over taps."""
    spread: int
    before: int
    """Position of the image's first element in the spread one."""
    results: int
    taps: int

    @property
    def start(self) -> int:
        """First element of the image that the first result of some phase meets."""
        return (self.spread - 1 - self.before) // self.spread

    @property
    def dropped(self) -> int:
        """Results of the first phases that are none: before the first."""
        return self.spread - 1 - self.before - self.spread * self.start

    @property
    def rounds(self) -> int:
        """Results of each phase."""
        return -(-(self.results + self.dropped) // self.spread)

    @property
    def steps(self) -> int:
        """Taps of each phase."""
        return -(-self.taps // self.spread)


@dataclass(frozen=True, slots=True)
class _Transposed:
    """A transposed convolution."""

    op: Structured
    image: int
    """Number of the operand."""
    source: ir.Value
    """Image without zeros."""
    before: tuple[int, ...]
    """Positions before the source, by dimension of the image."""
    sizes: tuple[int, ...]
    """Of the source, by dimension of the image; it may lack some of size 1."""
    padded: tuple[int, ...]
    """Shape of the spread image."""
    axes: tuple[Axis, ...]


def _gather_all(root: ir.Operation) -> None:
    for op in ops_named(root, "linalg.generic"):
        motif = find_motif(op)
        if motif is None or motif.kind is not MotifKind.CONVOLUTION or motif.variant != TRANSPOSED:
            continue
        found = _read(op)
        if found is not None:
            with ir.InsertionPoint(op), op.location:
                op.results[0].replace_all_uses_with(_gathered(found))
                op.erase()


def _read(op: ir.Operation) -> _Transposed | None:
    structured = read_structured(op)
    if structured is None or structured.input_count != 2 or min(structured.loops) < 1:
        return None
    images = [i for i in (0, 1) if any(len(e.terms) > 1 for e in structured.accesses[i])]
    by_loops = all(
        e.loop is not None for i, a in enumerate(structured.accesses) if [i] != images for e in a
    )
    if len(images) != 1 or not by_loops or not set(structured.dtypes[:2]) <= _ELEMENTS:
        return None
    insert = owner_of(structured.values[images[0]])
    if insert is None or insert.name != "tensor.insert_slice":
        return None
    base, (offsets, sizes, steps) = owner_of(insert.operands[1]), slice_of(insert)
    source = insert.operands[0]
    units = refinement(list(ir.RankedTensorType(source.type).shape), sizes)
    filled = base is not None and base.name == "linalg.fill" and _is_zero(base.operands[0])
    if not filled or units is None or any(map(is_dynamic, (*offsets, *sizes, *steps))):
        return None
    axes = _axes(structured, images[0], offsets, steps)
    padded = tuple(ir.RankedTensorType(insert.results[0].type).shape)
    if axes is None:
        return None
    return _Transposed(structured, images[0], source, offsets, sizes, padded, axes)


def _is_zero(value: ir.Value) -> bool:
    constant = owner_of(value)
    if constant is None or constant.name != "arith.constant":
        return False
    attribute = constant.attributes["value"]
    return isinstance(attribute, ir.FloatAttr) and attribute.value == 0.0


def _axes(
    op: Structured, image: int, offsets: tuple[int, ...], steps: tuple[int, ...]
) -> tuple[Axis, ...] | None:
    """Return the axes of a spread image; None where taps or results are not next to each other."""
    filters = {e.loop for e in op.accesses[1 - image]}
    found: list[Axis] = []
    for dimension, (e, step) in enumerate(zip(op.accesses[image], steps, strict=True)):
        if step == 1:
            continue
        if len(e.terms) != 2 or e.constant or any(c != 1 for _, c in e.terms):
            return None
        taps = [loop for loop, _ in e.terms if loop in filters]
        results = [loop for loop, _ in e.terms if loop in op.output_loops]
        if len(taps) != 1 or len(results) != 1 or taps == results:
            return None
        found.append(
            Axis(dimension, results[0], taps[0], step, offsets[dimension],
                 op.loops[results[0]], op.loops[taps[0]])
        )  # fmt: skip
    return tuple(found)


def _gathered(found: _Transposed) -> ir.Value:
    """Emit the convolution of all phases, and its results in order."""
    op, axes = found.op, found.axes
    rank = len(op.loops)
    maps = [list(m.results) for m in maps_of(op.op)]
    written = [e.loop for e in op.accesses[2] if e.loop is not None]
    phases = {a.output: ir.AffineExpr.get_dim(rank + i) for i, a in enumerate(axes)}
    maps[1 - found.image] = [*phases.values(), *maps[1 - found.image]]
    maps[2] = [e for i in written for e in (ir.AffineExpr.get_dim(i), phases.get(i)) if e]
    rounds = {a.output: (a.rounds, a.spread) for a in axes}
    parts = [rounds.get(i, (op.loops[i],)) for i in written]
    image, filters = _plain_image(found), _filters(found)
    start, initial = _start(op.op, parts)
    made = generic_like(
        op.op, [image, filters] if found.image == 0 else [filters, image], start,
        [ir.AffineMap.get(rank + len(axes), 0, m) for m in maps],
        [*iterators(op.op), *["parallel"] * len(axes)],
    )  # fmt: skip
    dropped = {a.output: a.dropped for a in axes}
    result = _in_order(op.op, made.results[0], parts, [dropped.get(i, 0) for i in written])
    return result if initial is None else _added(result, initial)


def _plain_image(found: _Transposed) -> ir.Value:
    """Emit the image with padding around it, as far as the phases read it."""
    given = ir.RankedTensorType(found.source.type)
    kind = ir.RankedTensorType.get(found.sizes, given.element_type)
    value = found.source
    if given != kind:
        units = refinement(list(given.shape), found.sizes)
        assert units is not None, "it was read"
        value = tensor.ExpandShapeOp(kind, value, units, [], list(found.sizes)).result
    shape, before = list(found.padded), list(found.before)
    first, sizes = [0] * kind.rank, list(kind.shape)
    for axis in found.axes:
        d, length = axis.dimension, axis.rounds + axis.steps - 1
        first[d] = max(axis.start, 0)
        sizes[d] = max(min(kind.shape[d], axis.start + length) - first[d], 0)
        before[d], shape[d] = max(-axis.start, 0), length
    ones = [1] * kind.rank
    part = ir.RankedTensorType.get(sizes, kind.element_type)
    if sizes != list(kind.shape):
        value = tensor.ExtractSliceOp(part, value, [], [], [], first, sizes, ones).result
    if sizes == shape:
        return value
    zero = arith.constant(kind.element_type, ir.FloatAttr.get(kind.element_type, 0.0))
    around = linalg.fill(zero, outs=[tensor.EmptyOp(shape, kind.element_type).result])
    pad = tensor.InsertSliceOp(value, around, [], [], [], before, sizes, ones)
    pad.operation.attributes[PAD] = ir.UnitAttr.get()
    return pad.result


def _filters(found: _Transposed) -> ir.Value:
    """Emit the filters of all phases, each with its taps."""
    op, axes = found.op, found.axes
    value = op.values[1 - found.image]
    kind = ir.RankedTensorType(value.type)
    place = [e.loop for e in op.accesses[1 - found.image]]
    by_tap = {a.tap: (number, a) for number, a in enumerate(axes)}
    shape = [a.spread for a in axes]
    shape += [
        by_tap[loop][1].steps if loop in by_tap else size
        for loop, size in zip(place, kind.shape, strict=True)
    ]
    empty = tensor.EmptyOp(shape, kind.element_type).result
    identity = ir.AffineMapAttr.get(ir.AffineMap.get_identity(len(shape)))
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    made = linalg.GenericOp(
        [empty.type], [], [empty], ir.ArrayAttr.get([identity]),
        ir.ArrayAttr.get([parallel] * len(shape)),
    )  # fmt: skip
    with ir.InsertionPoint(made.regions[0].blocks.append(kind.element_type)):
        inside = arith.constant(ir.IntegerType.get_signless(1), 1)
        indices: list[ir.Value] = []
        for number, loop in enumerate(place):
            index = linalg.IndexOp(len(axes) + number).result
            if loop in by_tap:
                phase, axis = by_tap[loop]
                tap = _tap(index, linalg.IndexOp(phase).result, axis)
                last = arith.constant(ir.IndexType.get(), axis.taps - 1)
                known = arith.cmpi(arith.CmpIPredicate.ule, tap, last)
                inside, index = arith.andi(inside, known), arith.minui(tap, last)
            indices.append(index)
        element = tensor.extract(value, indices)
        zero = arith.constant(kind.element_type, ir.FloatAttr.get(kind.element_type, 0.0))
        linalg.YieldOp([arith.select(inside, element, zero)])
    return made.results[0]


def _tap(step: ir.Value, phase: ir.Value, axis: Axis) -> ir.Value:
    """Emit the number of a phase's tap: the last phase meets the first."""
    index = ir.IndexType.get()
    first = arith.subi(arith.constant(index, axis.spread - 1), phase)
    return arith.addi(arith.muli(step, arith.constant(index, axis.spread)), first)


def _in_order(
    op: ir.Operation, made: ir.Value, parts: list[tuple[int, ...]], first: list[int]
) -> ir.Value:
    """Emit the results one after the other, whichever phase they are of."""
    kind, wanted = ir.RankedTensorType(made.type), ir.RankedTensorType(op.results[0].type)
    groups = _groups(parts)
    whole = [math.prod(part) for part in parts]
    joined = ir.RankedTensorType.get(whole, kind.element_type)
    result = tensor.CollapseShapeOp(joined, made, groups).result
    if whole == list(wanted.shape):
        return result
    ones = [1] * len(whole)
    return tensor.ExtractSliceOp(wanted, result, [], [], [], first, list(wanted.shape), ones).result


def _groups(parts: list[tuple[int, ...]]) -> list[list[int]]:
    """Return the dimensions that each one of a shape is split into."""
    ends = list(itertools.accumulate(map(len, parts)))
    return [list(range(end - len(part), end)) for end, part in zip(ends, parts, strict=True)]


def _start(op: ir.Operation, parts: list[tuple[int, ...]]) -> tuple[ir.Value, ir.Value | None]:
    """Return what the sums of all phases start from, and what is left to add to the results."""
    initial = op.operands[init_index(op)]
    element = ir.RankedTensorType(initial.type).element_type
    shape = [size for part in parts for size in part]
    empty = tensor.EmptyOp(shape, element).result
    owner = owner_of(initial)
    if owner is not None and owner.name == "linalg.fill":
        return linalg.fill(owner.operands[0], outs=[empty]), None
    groups = _groups(parts)
    if owner is not None and owner.name == "linalg.generic" and _is_spread_out(owner, groups):
        maps = [
            ir.AffineMap.get(len(shape), 0, [ir.AffineExpr.get_dim(groups[e.position][0])
                                             for e in m.results])
            for m in maps_of(owner)[:-1]
        ]  # fmt: skip
        maps.append(ir.AffineMap.get_identity(len(shape)))
        made = generic_like(
            owner, list(owner.operands)[:-1], empty, maps, ["parallel"] * len(shape)
        )
        return made.results[0], None
    zero = arith.constant(element, ir.FloatAttr.get(element, 0.0))
    return linalg.fill(zero, outs=[empty]), initial


def _is_spread_out(op: ir.Operation, groups: list[list[int]]) -> bool:
    """Whether an op repeats tensors along all dimensions that are split."""
    maps = maps_of(op)
    if len(op.results) != 1 or "reduction" in iterators(op) or ops_named(op, "linalg.index"):
        return False
    read = [e for m in maps[:-1] for e in m.results]
    return maps[-1] == ir.AffineMap.get_identity(maps[-1].n_dims) and all(
        isinstance(e, ir.AffineDimExpr) and len(groups[e.position]) == 1 for e in read
    )


def _added(sums: ir.Value, initial: ir.Value) -> ir.Value:
    """Emit sums with what they should have started from."""
    kind = ir.RankedTensorType(sums.type)
    identity = ir.AffineMapAttr.get(ir.AffineMap.get_identity(kind.rank))
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    made = linalg.GenericOp(
        [kind], [initial, sums], [tensor.EmptyOp(list(kind.shape), kind.element_type).result],
        ir.ArrayAttr.get([identity] * 3), ir.ArrayAttr.get([parallel] * kind.rank),
    )  # fmt: skip
    body = made.regions[0].blocks.append(*[kind.element_type] * 3)
    with ir.InsertionPoint(body):
        linalg.YieldOp([arith.addf(body.arguments[0], body.arguments[1])])
    return made.results[0]


OPS = (GatherPhasesOp,)
