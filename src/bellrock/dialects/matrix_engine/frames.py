"""What follows a product: elementwise ops on its result, element by element.

Flows in: the anchor of a kernel function. Flows out: `Epilogue`: the ops in order, where each
value that depends on the product has the element that one element of the product becomes (its
*frame*), and where results go in memory; None for anything of another form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.operands import Source, owner_of, row_major, source_of
from bellrock.dialects.generic_ops import init_index
from bellrock.dialects.matrix_engine.points import (
    Elementwise,
    Points,
    read_elementwise,
    readable,
)
from bellrock.dialects.matrix_engine.views import (
    groups_of,
    kept_dimensions,
    linear,
    offsets_by_argument,
    slice_of,
)
from bellrock.dialects.vector_code import Index
from bellrock.payload.motifs.access import Access


@dataclass(frozen=True, slots=True)
class Dimension:
    """Index of a dimension of the product."""

    number: int

    def at(self, point: Sequence[Index]) -> Index:
        """Emit the index for an element of the product."""
        return point[self.number]


@dataclass(frozen=True, slots=True)
class Part:
    """One of the dimensions that an index is split into."""

    whole: Coordinate
    step: int
    size: int
    """0 for the outermost, which needs no remainder."""

    def at(self, point: Sequence[Index]) -> Index:
        """Emit the index for an element of the product."""
        upper, _ = code.quotient(self.whole.at(point), self.step)
        return code.quotient(upper, self.size)[1] if self.size else upper


@dataclass(frozen=True, slots=True)
class Joined:
    """Several dimensions as one."""

    parts: tuple[Coordinate, ...]
    sizes: tuple[int, ...]

    def at(self, point: Sequence[Index]) -> Index:
        """Emit the index for an element of the product."""
        return linear([p.at(point) for p in self.parts], row_major(self.sizes))


@dataclass(frozen=True, slots=True)
class Zero:
    """The only index of a dimension of size 1."""

    def at(self, point: Sequence[Index]) -> Index:
        """Emit the index for an element of the product."""
        del point
        return 0


Coordinate = Dimension | Part | Joined | Zero
Frame = tuple[Coordinate, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """An elementwise op on values that depend on the product."""

    read: Elementwise
    loops: Frame
    """Its loops, for an element of the product."""
    owned: tuple[tuple[int, ir.Value], ...]
    """Its operands that depend on the product, by number."""


@dataclass(frozen=True, slots=True)
class Result:
    """A value that the kernel returns, and where it goes."""

    value: ir.Value
    frame: Frame
    place: Source
    moved: tuple[tuple[ir.Value, int], ...] = ()
    """Arguments that move the place, each with its step in memory: of a slice in a loop."""


@dataclass(frozen=True, slots=True)
class Epilogue:
    """All that follows a product (see the module's docstring)."""

    anchor: ir.Value
    steps: tuple[Step, ...]
    aliases: dict[ir.Value, ir.Value]
    """A reshaped value has the same elements as the value it was."""
    results: tuple[Result, ...]

    def emit(self, points: Points, sums: ir.Value, at: Sequence[Sequence[Index]]) -> list[ir.Value]:
        """Make the values of all results for some elements of the product.

        Args:
            points: reads other tensors.
            sums: vector of the elements.
            at: where they are in the product.
        """
        made: dict[ir.Value, ir.Value] = {self.anchor: sums}
        for step in self.steps:
            loops = [[c.at(point) for c in step.loops] for point in at]
            known = {number: made[self.aliases.get(v, v)] for number, v in step.owned}
            values = points.body(step.read, loops, known)
            made.update(zip(step.read.op.results, values, strict=True))
        return [made[self.aliases.get(r.value, r.value)] for r in self.results]


def read_epilogue(function: ir.Operation, anchor: ir.Operation) -> Epilogue | None:
    """Read what follows the anchor (see the module's docstring)."""
    rank = len(ir.RankedTensorType(anchor.results[0].type).shape)
    frames: dict[ir.Value, Frame] = {anchor.results[0]: tuple(map(Dimension, range(rank)))}
    aliases: dict[ir.Value, ir.Value] = {}
    steps: list[Step] = []
    inserted: dict[ir.Value, ir.Operation] = {}
    for inner in function.regions[0].blocks[0].operations:
        op = inner.operation
        owned = tuple((i, v) for i, v in enumerate(op.operands) if v in frames)
        if not owned or op.name == "func.return":
            continue
        if op.name in ("tensor.expand_shape", "tensor.collapse_shape"):
            frames[op.results[0]] = _reshaped(op, frames[op.operands[0]])
            aliases[op.results[0]] = aliases.get(op.operands[0], op.operands[0])
        elif op.name == "tensor.insert_slice" and [i for i, _ in owned] == [0]:
            inserted[op.results[0]] = op
        else:
            step = _step(op, owned, frames)
            if step is None:
                return None
            steps.append(step)
            for number, value in enumerate(op.results):
                access = step.read.result_access(number)
                frames[value] = _through(access, step.loops)
    results = _results(function, frames, inserted, aliases)
    if results is None:
        return None
    return Epilogue(anchor.results[0], tuple(steps), aliases, results)


def _step(
    op: ir.Operation, owned: Sequence[tuple[int, ir.Value]], frames: dict[ir.Value, Frame]
) -> Step | None:
    read = read_elementwise(op)
    if read is None:
        return None
    loops: Frame | None = None
    for number, value in owned:
        access = read.structured.accesses[number]
        found = _loops(access, frames[value], read.structured.loops)
        if found is None or (loops is not None and found != loops):
            return None
        loops = found
    others = [v for v in read.used if v not in frames and isinstance(v.type, ir.RankedTensorType)]
    if loops is None or not all(readable(v) for v in others):
        return None
    return Step(read, loops, tuple(owned))


def _loops(access: Access, frame: Frame, sizes: Sequence[int]) -> Frame | None:
    """Return the loops at which an operand is read at its frame's element, if one is."""
    found: list[Coordinate | None] = [Zero() if size == 1 else None for size in sizes]
    for expr, coordinate in zip(access, frame, strict=True):
        if expr.loop is not None:
            found[expr.loop] = coordinate
        elif not (expr.is_constant and coordinate == Zero()) and expr.terms:
            return None
    known = [c for c in found if c is not None]
    return tuple(known) if len(known) == len(found) else None


def _through(access: Access, loops: Frame) -> Frame:
    return tuple(Zero() if e.loop is None else loops[e.loop] for e in access)


def _reshaped(op: ir.Operation, frame: Frame) -> Frame:
    shape = list(ir.RankedTensorType(op.operands[0].type).shape)
    result = list(ir.RankedTensorType(op.results[0].type).shape)
    if op.name == "tensor.collapse_shape":
        return tuple(
            _joined([frame[d] for d in group], [shape[d] for d in group]) for group in groups_of(op)
        )
    found: list[Coordinate] = [Zero()] * len(result)
    for whole, group in zip(frame, groups_of(op), strict=True):
        wide = [d for d in group if result[d] != 1]
        steps = row_major([result[d] for d in wide])
        for i, (d, step) in enumerate(zip(wide, steps, strict=True)):
            found[d] = whole if len(wide) == 1 else Part(whole, step, result[d] if i else 0)
    return tuple(found)


def _joined(parts: Sequence[Coordinate], sizes: Sequence[int]) -> Coordinate:
    wide = [(p, s) for p, s in zip(parts, sizes, strict=True) if s != 1]
    if len(wide) <= 1:
        return wide[0][0] if wide else Zero()
    return Joined(tuple(p for p, _ in wide), tuple(s for _, s in wide))


def _results(
    function: ir.Operation,
    frames: dict[ir.Value, Frame],
    inserted: dict[ir.Value, ir.Operation],
    aliases: dict[ir.Value, ir.Value],
) -> tuple[Result, ...] | None:
    found: list[Result | None] = []
    returned = list(list(function.regions[0].blocks[0].operations)[-1].operation.operands)
    for value in returned:
        if value in inserted:
            op = inserted[value]
            found.append(_part(op, frames[op.operands[0]]))
            continue
        if value not in frames:
            return None
        inner = aliases.get(value, value)
        place = _destination(inner)
        found.append(None if place is None else Result(inner, frames[inner], place))
    known = tuple(r for r in found if r is not None)
    return known if len(known) == len(found) else None


def _part(op: ir.Operation, frame: Frame) -> Result | None:
    """Return the slice of a destination that an `insert_slice` writes."""
    into, named = source_of(op.operands[1]), offsets_by_argument(op)
    _, sizes, steps = slice_of(op)
    shape = tuple(ir.RankedTensorType(op.operands[0].type).shape)
    kept = kept_dimensions(sizes, shape)
    if into is None or named is None or len(kept) != len(shape):
        return None
    offset, moved = into.offset, []
    for at, stride in zip(named, into.strides, strict=True):
        if isinstance(at, int):
            offset += at * stride
        else:
            moved.append((at, stride))
    strides = tuple(steps[d] * into.strides[d] for d in kept)
    place = Source(into.argument, offset, shape, strides)
    return Result(op.operands[0], frame, place, tuple(moved))


def _destination(value: ir.Value) -> Source | None:
    """Follow what a value is written over down to the memory of an argument."""
    owner = owner_of(value)
    if owner is not None and owner.name.startswith("linalg."):
        number = ir.OpResult(value).result_number
        return _destination(owner.operands[init_index(owner) + number])
    return source_of(value)
