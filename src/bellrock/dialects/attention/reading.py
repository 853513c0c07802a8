"""Reading a kernel function that holds one attention.

Flows in: `func.func` on tensors. Flows out: `AttentionKernel`, with every tensor as strides by
dimension of the scores; or None where the function has anything that the lowering does not know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.attention.chosen import attention_at, is_positions
from bellrock.dialects.attention.factor import Factor
from bellrock.dialects.convolution.operands import Operand, operand_of, owner_of, source_of
from bellrock.payload.motifs.attention import Attention
from bellrock.payload.motifs.bodies import yielded
from bellrock.payload.motifs.structured import REDUCTION, Structured


@dataclass(frozen=True, slots=True)
class Position:
    """A value that is the index along a dimension of the scores."""

    dimension: int


@dataclass(frozen=True, slots=True)
class ScoreStage:
    """An elementwise op on scores."""

    op: ir.Operation
    inputs: tuple[Operand | Position | ir.Value | None, ...]
    """Of each input: a tensor in memory, a position, a scalar, or None: the score."""


@dataclass(frozen=True, slots=True)
class AttentionKernel:
    """An attention in memory; the loops of an operand are dimensions of the scores.

    Depth, and the features of values, are the two numbers behind the last of these.
    """

    shape: tuple[int, ...]
    """Of the scores."""
    query: int
    key: int
    depth_size: int
    feature_size: int
    queries: Operand
    keys: Operand
    values: Operand
    result: Operand
    query_factor: Factor
    key_factor: Factor
    value_factor: Factor
    narrow_weights: bool
    """Whether exponentials are rounded to bf16 before they are multiplied."""
    stages: tuple[ScoreStage, ...]
    empty_is_zero: bool
    softmax: bool
    """Whether scores go through a softmax; else stages make what multiplies values."""

    def at_positions(self, arguments: Sequence[ir.Value]) -> AttentionKernel:
        """Return the kernel with operands that start where arguments say."""
        stages = tuple(
            dataclasses.replace(s, inputs=tuple(
                i.at_positions(arguments) if isinstance(i, Operand) else i for i in s.inputs
            ))
            for s in self.stages
        )  # fmt: skip
        return dataclasses.replace(
            self, stages=stages, queries=self.queries.at_positions(arguments),
            keys=self.keys.at_positions(arguments), values=self.values.at_positions(arguments),
            result=self.result.at_positions(arguments),
        )  # fmt: skip

    @property
    def depth(self) -> int:
        """Number of the depth among an operand's loops."""
        return len(self.shape)

    @property
    def feature(self) -> int:
        """Number of the features among an operand's loops."""
        return len(self.shape) + 1


_CHEAP = {"linalg.fill", "tensor.empty", "arith.constant", "tensor.extract_slice",
          "tensor.expand_shape", "tensor.collapse_shape", "tensor.cast", "func.return"}  # fmt: skip


def read_kernel(function: ir.Operation, anchor: ir.Operation) -> AttentionKernel | None:
    """Return a kernel as the lowering takes it (see the module's docstring)."""
    found = attention_at(anchor)
    blocks = list(function.regions[0].blocks)
    if found is None or len(blocks) != 1 or not _covers(blocks[0], found):
        return None
    returned = list(list(blocks[0].operations)[-1].operation.operands)
    sides = _sides(found)
    stages = [_stage(stage, len(found.shape)) for stage in found.stages]
    if returned != [found.result.op.results[0]] or sides is None or any(s is None for s in stages):
        return None
    return AttentionKernel(
        shape=found.shape,
        query=found.query,
        key=found.key,
        depth_size=found.scores.loops[_reduced(found.scores)],
        feature_size=found.output.loops[_feature_loop(found)],
        queries=sides[0],
        keys=sides[1],
        values=sides[2],
        result=sides[3],
        query_factor=_query_factor(found),
        key_factor=Factor.of(found.score_factors[1 - found.queries]),
        value_factor=Factor.of(found.value_factor),
        narrow_weights=found.weights is not None and found.weights.dtypes[-1] == "bf16",
        stages=tuple(s for s in stages if s is not None),
        empty_is_zero=found.empty_is_zero,
        softmax=found.exponential is not None,
    )


def _covers(block: ir.Block, found: Attention) -> bool:
    """Whether a function has no other work than the attention."""
    ops = set(found.ops)
    return all(
        o.operation in ops or o.operation.name in _CHEAP or is_positions(o.operation)
        for o in block.operations
    )


def _reduced(op: Structured) -> int:
    return op.iterators.index(REDUCTION)


def _feature_loop(found: Attention) -> int:
    """Return the loop of the output that the scores do not have, which is one."""
    (loop,) = set(range(len(found.output.loops))) - set(found.output_loops)
    return loop


def _sides(found: Attention) -> tuple[Operand, Operand, Operand, Operand] | None:
    """Return queries, keys, values and result."""
    rank = len(found.shape)
    scores, output = found.scores, found.output
    if len(output.loops) != rank + 1:
        return None
    dimensions = [e.loop for e in scores.accesses[scores.input_count]]
    score_loops = _numbered(len(scores.loops), dimensions, rank)
    output_loops = _numbered(len(output.loops), list(found.output_loops), rank + 1)
    operands = (
        _queries(found, score_loops),
        _operand(scores, 1 - found.queries, score_loops),
        _operand(output, found.values, output_loops),
        _result(found, output_loops),
    )
    a, b, c, d = operands
    return None if a is None or b is None or c is None or d is None else (a, b, c, d)


def _queries(found: Attention, loops: list[int]) -> Operand | None:
    """Return where the queries lie, or what they are made of."""
    scores, scaled = found.scores, found.scaled
    if scaled is None:
        return _operand(scores, found.queries, loops)
    read = [e.loop for e in scores.accesses[found.queries]]
    roles = [loops[loop] for loop in read if loop is not None]
    return _operand(scaled, 0, roles) if len(roles) == len(read) else None


def _query_factor(found: Attention) -> Factor:
    """Return what is made of the queries' elements: before the product, or in its body."""
    factor = Factor.of(found.score_factors[found.queries])
    return factor if found.scaled is None else factor.after(yielded(found.scaled))


def _result(found: Attention, loops: list[int]) -> Operand | None:
    """Return where the results go, in the loops of the contraction that makes them."""
    output, narrowed = found.output, found.narrowed
    if narrowed is None:
        fill = owner_of(output.values[output.input_count])
        value = None if fill is None else fill.operands[1]
        return None if value is None else _operand(output, output.input_count, loops, value)
    made = [e.loop for e in output.accesses[output.input_count]]
    read = [e.loop for e in narrowed.accesses[0]]
    roles = {loop: loops[m] for loop, m in zip(read, made, strict=True) if m is not None}
    return _operand(narrowed, 1, [roles[i] for i in range(len(narrowed.loops))])


def _numbered(count: int, dimensions: list[int | None], other: int) -> list[int]:
    """Return, for each loop, its dimension of the scores; `other` for the one that has none."""
    return [dimensions.index(loop) if loop in dimensions else other for loop in range(count)]


def _operand(
    op: Structured, number: int, loops: list[int], value: ir.Value | None = None
) -> Operand | None:
    source = source_of(op.values[number] if value is None else value, positions=True)
    return None if source is None else operand_of(source, op.accesses[number], loops)


def _stage(op: Structured, rank: int) -> ScoreStage | None:
    inputs: list[Operand | Position | ir.Value | None] = []
    for i in range(op.input_count):
        value = op.values[i]
        if not isinstance(value.type, ir.RankedTensorType):
            inputs.append(value)
            continue
        owner = owner_of(value)
        access = op.accesses[i]
        if is_positions(owner):
            if len(access) != 1 or access[0].loop is None:
                return None
            inputs.append(Position(access[0].loop))
        elif owner is not None and owner.name == "linalg.fill":
            inputs.append(owner.operands[0])
        elif owner is not None and owner.name == "linalg.generic":
            inputs.append(None)
        else:
            source = source_of(value, positions=True)
            operand = None if source is None else operand_of(source, access, range(rank))
            if operand is None:
                return None
            inputs.append(operand)
    return ScoreStage(op.op, tuple(inputs))
