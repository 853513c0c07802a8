"""Values of a kernel's tensors at points: what one lane needs of them, in a vector.

Flows in: tensor values of a kernel function, points (an index for each dimension). Flows out:
code that loads them from the arguments, through views and pads, and makes the bodies of
elementwise ops again on vectors. All points must lie inside of their tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.operands import owner_of, row_major
from bellrock.dialects.generic_ops import init_index, is_elementwise
from bellrock.dialects.matrix_engine.views import (
    Point,
    both,
    indices,
    kept_dimensions,
    linear,
    offsets_by_argument,
    reshaped_point,
    slice_of,
    sliced_point,
    within,
)
from bellrock.dialects.vector_code import Index
from bellrock.payload.motifs.access import Access
from bellrock.payload.motifs.structured import Structured, read_structured

_RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")
_BODY_TYPES = (ir.FloatType, ir.IntegerType, ir.IndexType)


def readable(value: ir.Value) -> bool:
    """Whether `Points` can make a value's elements one by one."""
    kind = value.type
    if not isinstance(kind, ir.RankedTensorType) or not kind.has_static_shape:
        return False
    if math.prod(kind.shape) == 0:
        return False
    owner = owner_of(value)
    if owner is None or owner.name == "linalg.fill":
        return True
    if owner.name == "arith.constant":
        return ir.DenseElementsAttr(owner.attributes["value"]).is_splat
    if owner.name == "tensor.extract_slice":
        return offsets_by_argument(owner) is not None and readable(owner.operands[0])
    if owner.name in (*_RESHAPES, "tensor.insert_slice"):
        tensors = [v for v in owner.operands if isinstance(v.type, ir.RankedTensorType)]
        return len(tensors) == len(owner.operands) and all(readable(v) for v in tensors)
    if not is_elementwise(owner):
        return False
    body = read_elementwise(owner)
    return body is not None and all(
        readable(v) or not isinstance(v.type, ir.RankedTensorType) for v in body.used
    )


@dataclass(frozen=True, slots=True)
class Elementwise:
    """An elementwise op whose loops are known from an element of its result."""

    op: ir.Operation
    structured: Structured
    inputs: int

    @property
    def block(self) -> ir.Block:
        """The body."""
        return self.op.regions[0].blocks[0]

    @property
    def used(self) -> list[ir.Value]:
        """The operands that the body reads."""
        return [
            v
            for v, a in zip(self.op.operands, self.block.arguments, strict=True)
            if len(list(a.uses))
        ]

    def loops_at(self, access: Access, point: Point) -> list[Index]:
        """Return the loops' indices where an operand is accessed at a point."""
        found: list[Index] = [0] * len(self.structured.loops)
        for expr, index in zip(access, point, strict=True):
            if expr.loop is not None:
                found[expr.loop] = index
        return found

    def result_access(self, number: int) -> Access:
        """Return how a result is indexed."""
        return self.structured.accesses[self.inputs + number]


def read_elementwise(op: ir.Operation) -> Elementwise | None:
    """Read an op whose body has the same form on vectors; None if it is another."""
    structured = read_structured(op) if op.name == "linalg.generic" else None
    if structured is None or any(i != "parallel" for i in structured.iterators):
        return None
    read = Elementwise(op, structured, init_index(op))
    outputs = [read.result_access(i) for i in range(len(op.results))]
    if not all(_covers(a, structured.loops) for a in outputs):
        return None
    linear = all(e.linear for a in structured.accesses for e in a)
    plain = all(_plain(o.operation, read) for o in read.block.operations)
    return read if linear and plain else None


def _covers(access: Access, loops: Sequence[int]) -> bool:
    """Whether an element tells the loops: each is an index by itself, or has one trip."""
    named = [e.loop for e in access if e.loop is not None]
    plain = all(e.loop is not None or (e.is_constant and not e.constant) for e in access)
    return (
        plain
        and len(set(named)) == len(named)
        and all(size == 1 or loop in named for loop, size in enumerate(loops))
    )


def _plain(op: ir.Operation, around: Elementwise) -> bool:
    if op.name in ("linalg.yield", "linalg.index"):
        return True
    if not op.name.startswith(("arith.", "math.")) or len(op.regions):
        return False
    if not all(isinstance(v.type, _BODY_TYPES) for v in (*op.operands, *op.results)):
        return False
    return all(_known(v, around) for v in op.operands)


def _known(value: ir.Value, around: Elementwise) -> bool:
    owner = owner_of(value)
    if owner is None or owner.name == "arith.constant":
        return True
    return owner.block == around.block


class Points:
    """Emits values at points, from a new function's flat buffers."""

    def __init__(self, arguments: Sequence[ir.Value]) -> None:
        """Read from these, by number of the old function's arguments."""
        self._arguments = arguments

    def at(self, value: ir.Value, points: Sequence[Point]) -> ir.Value:
        """Return a vector of a tensor's elements at some points (see `readable`)."""
        owner = owner_of(value)
        if owner is None:
            return self._load(value, points)
        if owner.name == "linalg.fill":
            return self._scalar(owner.operands[0], len(points))
        if owner.name == "arith.constant":
            splat = ir.DenseElementsAttr(owner.attributes["value"]).get_splat_value()
            return code.splat(len(points), splat.type, splat)
        if owner.name in _RESHAPES:
            return self.at(owner.operands[0], [reshaped_point(owner, p) for p in points])
        if owner.name == "tensor.extract_slice":
            return self.at(
                owner.operands[0], [sliced_point(owner, p, self._arguments) for p in points]
            )
        if owner.name == "tensor.insert_slice":
            return self._inserted(owner, points)
        read = read_elementwise(owner)
        assert read is not None, "only what is readable is asked for"
        number = ir.OpResult(value).result_number
        loops = [read.loops_at(read.result_access(number), p) for p in points]
        return self.body(read, loops, {})[number]

    def body(
        self, read: Elementwise, loops: Sequence[Sequence[Index]], known: dict[int, ir.Value]
    ) -> list[ir.Value]:
        """Make an op's body again at some points of its loops.

        Args:
            read: the op.
            loops: indices of its loops, for each point.
            known: vectors of operands that are known already, by number.

        Returns:
            What it yields.
        """
        lanes = len(loops)
        made: dict[ir.Value, ir.Value] = {}
        for number, (value, argument) in enumerate(
            zip(read.op.operands, read.block.arguments, strict=True)
        ):
            if number in known:
                made[argument] = known[number]
            elif not len(list(argument.uses)):
                continue
            elif isinstance(value.type, ir.RankedTensorType):
                access = read.structured.accesses[number]
                made[argument] = self.at(value, [indices(access, at) for at in loops])
            else:
                made[argument] = self._scalar(value, lanes)
        for inner in read.block.operations:
            op = inner.operation
            operands = [made[v] if v in made else self._scalar(v, lanes) for v in op.operands]
            if op.name == "linalg.yield":
                return operands
            if op.name == "linalg.index":
                number = ir.IntegerAttr(op.attributes["dim"]).value
                made[op.results[0]] = packed([code.as_value(at[number]) for at in loops])
            elif op.name != "arith.constant":
                kinds = [ir.VectorType.get([lanes], r.type) for r in op.results]
                attributes = {name: op.attributes[name] for name in op.attributes}
                new = ir.Operation.create(op.name, kinds, operands, attributes)
                made.update(zip(op.results, new.results, strict=True))
        raise AssertionError("a body ends with a yield")

    def _scalar(self, value: ir.Value, lanes: int) -> ir.Value:
        owner = owner_of(value)
        if owner is None:
            return code.broadcast(self._arguments[ir.BlockArgument(value).arg_number], lanes)
        return code.splat(lanes, value.type, owner.attributes["value"])

    def _load(self, value: ir.Value, points: Sequence[Point]) -> ir.Value:
        buffer = self._arguments[ir.BlockArgument(value).arg_number]
        strides = row_major(tuple(ir.RankedTensorType(value.type).shape))
        if all(p == points[0] for p in points):
            loaded = memref.load(buffer, [code.as_value(linear(points[0], strides))])
            return code.broadcast(loaded, len(points))
        return packed([memref.load(buffer, [code.as_value(linear(p, strides))]) for p in points])

    def _inserted(self, op: ir.Operation, points: Sequence[Point]) -> ir.Value:
        """Tell inside from outside: a pad, or one part of a concatenation."""
        offsets, sizes, steps = slice_of(op)
        kept = kept_dimensions(sizes, tuple(ir.RankedTensorType(op.operands[0].type).shape))
        shape = tuple(ir.RankedTensorType(op.operands[1].type).shape)
        insides, inner = [], []
        for point in points:
            inside, at = None, []
            for d, index in enumerate(point):
                inside_here, place = None, index
                if sizes[d] != shape[d]:
                    inside_here, place = within(index, offsets[d], sizes[d], steps[d])
                inside = both(inside, inside_here)
                at.append(place)
            insides.append(inside)
            inner.append(tuple(at[d] for d in kept))
        made = self.at(op.operands[0], inner)
        if all(i is None for i in insides):
            return made
        i1 = ir.IntegerType.get_signless(1)
        true = arith.constant(i1, 1)
        mask = packed([true if i is None else i for i in insides])
        return arith.select(mask, made, self.at(op.operands[1], points))


def packed(scalars: Sequence[ir.Value]) -> ir.Value:
    """Return a vector of scalars."""
    if all(s == scalars[0] for s in scalars):
        return code.broadcast(scalars[0], len(scalars))
    kind = ir.VectorType.get([len(scalars)], scalars[0].type)
    return vector.from_elements(kind, list(scalars))
