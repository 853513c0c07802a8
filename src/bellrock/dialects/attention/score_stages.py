"""What is done to scores before their softmax, on vectors of queries; and which keys it hides.

Flows in: `ScoreStage`s, a vector of scores and where it is. Flows out: the vector after them; and,
of a causal mask, the number of keys behind which all scores are minus infinity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.reading import AttentionKernel, Position, ScoreStage
from bellrock.dialects.convolution.operands import Operand, owner_of
from bellrock.dialects.vector_code import Index

_SLE, _SLT, _SGE, _SGT = 3, 2, 5, 4
"""Numbers of predicates of `arith.cmpi`."""
_MIRRORED = {_SLE: _SGT, _SLT: _SGE, _SGE: _SLT, _SGT: _SLE}
"""The predicate that holds exactly where another does not."""
Linear = tuple[int, int, int]
"""Factors of query and key, and a constant."""


@dataclass(frozen=True, slots=True)
class ScoreStages:
    """Emits the stages of one kernel; `arguments` are the new function's, by number."""

    kernel: AttentionKernel
    arguments: Sequence[ir.Value]
    lanes: int

    def emit(self, scores: ir.Value, point: Mapping[int, Index], count: Index) -> ir.Value:
        """Return the scores after all stages.

        Args:
            scores: of `lanes` queries and one key.
            point: the index along each dimension of the scores, of the first query.
            count: how many of the queries there are.
        """
        for stage in self.kernel.stages:
            scores = self._stage(stage, scores, point, count)
        return scores

    def _stage(
        self, stage: ScoreStage, scores: ir.Value, point: Mapping[int, Index], count: Index
    ) -> ir.Value:
        body = stage.op.regions[0].blocks[0]
        made: dict[ir.Value, ir.Value] = {}
        for argument, source in zip(body.arguments, stage.inputs, strict=False):
            if len(list(argument.uses)):
                made[argument] = self._input(source, argument.type, scores, point, count)
        for view in body.operations:
            op = view.operation
            if op.name == "linalg.index":
                number = ir.IntegerAttr(op.attributes["dim"]).value
                made[op.results[0]] = self._position(Position(number), point)
                continue
            operands = [made[v] if v in made else self._scalar(v) for v in op.operands]
            if op.name == "linalg.yield":
                return operands[0]
            if op.name == "arith.constant":
                made[op.results[0]] = self._scalar(op.results[0])
                continue
            kinds = [ir.VectorType.get([self.lanes], r.type) for r in op.results]
            attributes = {name: op.attributes[name] for name in op.attributes}
            new = ir.Operation.create(op.name, kinds, operands, attributes)
            made.update(zip(op.results, new.results, strict=True))
        raise AssertionError("a body ends with a yield")

    def _input(
        self,
        source: Operand | Position | ir.Value | None,
        element: ir.Type,
        scores: ir.Value,
        point: Mapping[int, Index],
        count: Index,
    ) -> ir.Value:
        if source is None:
            return scores
        if isinstance(source, Position):
            position = self._position(source, point)
            return arith.index_cast(ir.VectorType.get([self.lanes], element), position)
        if isinstance(source, Operand):
            return self._load(source, point, count)
        return self._scalar(source)

    def _position(self, position: Position, point: Mapping[int, Index]) -> ir.Value:
        start = code.broadcast(code.as_value(point[position.dimension]), self.lanes)
        if position.dimension != self.kernel.query:
            return start
        steps = ", ".join(map(str, range(self.lanes)))
        kind = start.type
        return arith.addi(
            start, arith.constant(kind, ir.Attribute.parse(f"dense<[{steps}]> : {kind}"))
        )

    def _load(self, source: Operand, point: Mapping[int, Index], count: Index) -> ir.Value:
        buffer = self.arguments[source.argument]
        at = address(source, point)
        step = source.stride(self.kernel.query)
        element = ir.MemRefType(buffer.type).element_type
        if step == 0:
            return code.broadcast(memref.load(buffer, [code.as_value(at)]), self.lanes)
        if isinstance(element, ir.IntegerType) and element.width < 8:
            # A vector of truth values is packed in memory, one of a tensor is not.
            lanes = [self._at_query(source, point, i) for i in range(self.lanes)]
            return vector.from_elements(ir.VectorType.get([self.lanes], element), lanes)
        mask = code.prefix_mask(self.lanes, count)
        if step == 1:
            return code.load(buffer, at, self.lanes, mask)
        return code.gather(buffer, at, [i * step for i in range(self.lanes)], mask)

    def _at_query(self, source: Operand, point: Mapping[int, Index], lane: int) -> ir.Value:
        """Load the element of one query, or of the last where there are fewer."""
        query = self.kernel.query
        number = code.minimum(code.add(point[query], lane), self.kernel.shape[query] - 1)
        at = address(source, {**point, query: number})
        return memref.load(self.arguments[source.argument], [code.as_value(at)])

    def _scalar(self, value: ir.Value) -> ir.Value:
        """Return a constant or scalar argument as a vector."""
        owner = owner_of(value)
        if owner is None:
            return code.broadcast(self.arguments[ir.BlockArgument(value).arg_number], self.lanes)
        assert owner.name == "arith.constant", "the motif allows constants only"
        return code.splat(self.lanes, value.type, owner.attributes["value"])


def address(operand: Operand, point: Mapping[int, Index]) -> Index:
    """Return where an element is, with 0 for the loops that `point` leaves out."""
    terms = [code.scaled(at, operand.stride(loop)) for loop, at in point.items()]
    return code.add(operand.offset, *terms)


def seen_keys(kernel: AttentionKernel) -> int | None:
    """Return c such that query q sees no key from q + c on, if a mask says so."""
    for stage in kernel.stages:
        body = stage.op.regions[0].blocks[0]
        select = owner_of(list(body.operations)[-1].operation.operands[0])
        test = (
            None
            if select is None or select.name != "arith.select"
            else owner_of(select.operands[0])
        )
        if select is None or test is None or test.name != "arith.cmpi":
            continue
        predicate = ir.IntegerAttr(test.attributes["predicate"]).value
        if not _hides(select.operands[2]):
            if not _hides(select.operands[1]):
                continue
            predicate = _MIRRORED.get(predicate, -1)
        sides = [_linear(v, stage, kernel) for v in test.operands]
        if sides[0] is None or sides[1] is None:
            continue
        query, key, constant = (a - b for a, b in zip(sides[0], sides[1], strict=True))
        if predicate in (_SGE, _SGT):
            query, key, constant = -query, -key, -constant
            predicate = _SLE if predicate == _SGE else _SLT
        # Seen where key - query + constant <= 0 (or < 0).
        if (query, key) == (-1, 1) and predicate in (_SLE, _SLT):
            return 1 - constant if predicate == _SLE else -constant
    return None


def _hides(value: ir.Value) -> bool:
    owner = owner_of(value)
    if owner is None or owner.name != "arith.constant":
        return False
    constant = owner.attributes["value"]
    return isinstance(constant, ir.FloatAttr) and constant.value == -math.inf


def _linear(value: ir.Value, stage: ScoreStage, kernel: AttentionKernel) -> Linear | None:
    """Return an integer as a sum of query and key positions."""
    owner = owner_of(value)
    if owner is None:
        number = ir.BlockArgument(value).arg_number
        source = stage.inputs[number] if number < len(stage.inputs) else None
        return _unit(source.dimension, kernel) if isinstance(source, Position) else None
    if owner.name == "linalg.index":
        return _unit(ir.IntegerAttr(owner.attributes["dim"]).value, kernel)
    if owner.name == "arith.constant":
        constant = owner.attributes["value"]
        return (0, 0, constant.value) if isinstance(constant, ir.IntegerAttr) else None
    parts = [_linear(v, stage, kernel) for v in owner.operands]
    known = [p for p in parts if p is not None]
    if len(known) != len(parts):
        return None
    if owner.name in ("arith.index_cast", "arith.extsi"):
        return known[0]
    signs = {"arith.addi": 1, "arith.subi": -1}
    if owner.name not in signs:
        return None
    a, b = known
    sign = signs[owner.name]
    return (a[0] + sign * b[0], a[1] + sign * b[1], a[2] + sign * b[2])


def _unit(dimension: int, kernel: AttentionKernel) -> Linear | None:
    units = {kernel.query: (1, 0, 0), kernel.key: (0, 1, 0)}
    return units.get(dimension)
