"""What is done to scores before their softmax, or instead of one, on a lane's 8 keys of its query.

Flows in: `ScoreStage`s, a vector of scores and where it is. Flows out: the vector in f32, after
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, memref

from bellrock.dialects import vector_code as code
from bellrock.dialects.attention.reading import AttentionKernel, Position, ScoreStage
from bellrock.dialects.convolution.operands import Operand, address, owner_of
from bellrock.dialects.matrix_engine.block_io import ROWS
from bellrock.dialects.matrix_engine.points import packed
from bellrock.dialects.vector_code import Index

Point = Mapping[int, Index]
"""The index along each dimension of the scores, of a vector's first key."""


@dataclass(frozen=True, slots=True)
class LaneScores:
    """Emits the stages of one kernel; `arguments` are the new function's, by number."""

    kernel: AttentionKernel
    arguments: Sequence[ir.Value]
    keys_fit: bool
    """Whether no key is beyond the last."""
    beyond: float
    """The score of keys beyond the last."""

    def emit(self, scores: ir.Value, point: Point) -> ir.Value:
        """Return the scores after all stages, `beyond` for keys that there are not."""
        for stage in self.kernel.stages:
            scores = self._stage(stage, scores, point)
        f32 = ir.F32Type.get()
        if ir.VectorType(scores.type).element_type != f32:
            scores = arith.extf(ir.VectorType.get([ROWS], f32), scores)
        if self.keys_fit:
            return scores
        total = code.broadcast(code.as_value(self.kernel.shape[self.kernel.key]), ROWS)
        keys = self._position(self.kernel.key, point)
        inside = arith.cmpi(arith.CmpIPredicate.ult, keys, total)
        return arith.select(inside, scores, splat(ROWS, self.beyond))

    def _stage(self, stage: ScoreStage, scores: ir.Value, point: Point) -> ir.Value:
        body = stage.op.regions[0].blocks[0]
        made: dict[ir.Value, ir.Value] = {}
        for argument, source in zip(body.arguments, stage.inputs, strict=False):
            if len(list(argument.uses)):
                made[argument] = self._input(source, argument.type, scores, point)
        for view in body.operations:
            op = view.operation
            if op.name == "linalg.index":
                number = ir.IntegerAttr(op.attributes["dim"]).value
                made[op.results[0]] = self._position(number, point)
                continue
            operands = [made[v] if v in made else self._scalar(v) for v in op.operands]
            if op.name == "linalg.yield":
                return operands[0]
            if op.name != "arith.constant":
                kinds = [ir.VectorType.get([ROWS], r.type) for r in op.results]
                attributes = {name: op.attributes[name] for name in op.attributes}
                new = ir.Operation.create(op.name, kinds, operands, attributes)
                made.update(zip(op.results, new.results, strict=True))
        raise AssertionError("a body ends with a yield")

    def _input(
        self, source: Operand | Position | ir.Value | None, element: ir.Type, scores: ir.Value,
        point: Point,
    ) -> ir.Value:  # fmt: skip
        if source is None:
            return scores
        if isinstance(source, Position):
            position = self._position(source.dimension, point)
            return arith.index_cast(ir.VectorType.get([ROWS], element), position)
        return self._load(source, point) if isinstance(source, Operand) else self._scalar(source)

    def _position(self, dimension: int, point: Point) -> ir.Value:
        start = code.broadcast(code.as_value(point[dimension]), ROWS)
        if dimension != self.kernel.key:
            return start
        steps = ", ".join(map(str, range(ROWS)))
        kind = start.type
        return arith.addi(
            start, arith.constant(kind, ir.Attribute.parse(f"dense<[{steps}]> : {kind}"))
        )

    def _load(self, source: Operand, point: Point) -> ir.Value:
        """Load an operand's element for each key, or the one of all."""
        buffer, key = self.arguments[source.argument], self.kernel.key
        count = ROWS if source.stride(key) else 1
        loaded = []
        for e in range(count):
            at = code.add(point[key], e)
            if not self.keys_fit:
                at = code.minimum(at, self.kernel.shape[key] - 1)
            place = address(source, {**point, key: at})
            loaded.append(memref.load(buffer, [code.as_value(place)]))
        return code.broadcast(loaded[0], ROWS) if count == 1 else packed(loaded)

    def _scalar(self, value: ir.Value) -> ir.Value:
        """Return a constant or scalar argument as a vector."""
        owner = owner_of(value)
        if owner is None:
            return code.broadcast(self.arguments[ir.BlockArgument(value).arg_number], ROWS)
        assert owner.name == "arith.constant", "the motif allows constants only"
        return code.splat(ROWS, value.type, owner.attributes["value"])


def splat(lanes: int, number: float) -> ir.Value:
    """Return a vector of one number in f32."""
    element = ir.F32Type.get()
    return code.splat(lanes, element, ir.FloatAttr.get(element, number))
