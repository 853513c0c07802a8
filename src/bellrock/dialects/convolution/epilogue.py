"""What follows the sums: initial value and fused elementwise ops, on vectors of pixels.

Flows in: the sums of one panel of output channels. Flows out: the kernel's results, in rows.
The bodies of the fused ops are arithmetic, which has the same form on vectors: each op is
made again with vectors for scalars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.fused import Stage
from bellrock.dialects.convolution.operands import Operand
from bellrock.dialects.convolution.reading import Spatial
from bellrock.dialects.vector_code import Index

Position = Mapping[int, Index]
"""Where an output element is, by loop of the convolution."""


class FusedKernel(Protocol):
    """A kernel whose values are made in vectors along its columns, with what follows them."""

    @property
    def row(self) -> Spatial: ...
    @property
    def column(self) -> Spatial: ...
    @property
    def initial(self) -> Stage | Operand | ir.Value | None: ...
    @property
    def stages(self) -> tuple[Stage, ...]: ...
    @property
    def results(self) -> tuple[Operand, ...]: ...


@dataclass(frozen=True, slots=True)
class Epilogue:
    """Emits what follows the sums; `arguments` are the new function's, by number."""

    kernel: FusedKernel
    arguments: Sequence[ir.Value]
    lanes: int

    def per_channel(self, position: Position) -> dict[int, ir.Value]:
        """Load, once for a channel's rows, what does not change along them.

        Args:
            position: without the loops over rows and columns.

        Returns:
            A vector by `id` of its operand.
        """
        row, column = self.kernel.row.output, self.kernel.column.output
        return {
            id(operand): self._load(operand, position, 0, self.lanes)
            for operand in self._operands()
            if not operand.stride(row) and not operand.stride(column)
        }

    def emit(
        self, sums: ir.Value, position: Position, count: Index, known: Mapping[int, ir.Value]
    ) -> None:
        """Compute and store the results of one vector of pixels.

        Args:
            sums: of the pixels.
            position: of the first of them.
            count: how many of them there are.
            known: from `per_channel`.
        """
        values = [self._with_initial(sums, position, count, known)]
        for stage in self.kernel.stages:
            values = self._stage(stage, values[0], position, count, known)
        mask = code.prefix_mask(self.lanes, count)
        for value, result in zip(values, self.kernel.results, strict=True):
            at = self._address(result, position)
            code.store(value, self.arguments[result.argument], at, mask)

    def _operands(self) -> list[Operand]:
        stages = list(self.kernel.stages)
        found: list[Operand] = []
        if isinstance(self.kernel.initial, Operand):
            found.append(self.kernel.initial)
        elif isinstance(self.kernel.initial, Stage):
            stages.append(self.kernel.initial)
        for stage in stages:
            body = stage.op.regions[0].blocks[0]
            for argument, operand in zip(body.arguments, stage.inputs, strict=True):
                if isinstance(operand, Operand) and len(list(argument.uses)):
                    found.append(operand)
        return found

    def _with_initial(
        self, sums: ir.Value, position: Position, count: Index, known: Mapping[int, ir.Value]
    ) -> ir.Value:
        initial = self.kernel.initial
        if initial is None:
            return sums
        if isinstance(initial, Operand):
            value = self._value(initial, position, count, known)
        elif isinstance(initial, Stage):
            (value,) = self._stage(initial, None, position, count, known)
        else:
            value = self._scalar(initial)
        return arith.addf(sums, value)

    def _stage(
        self,
        stage: Stage,
        before: ir.Value | None,
        position: Position,
        count: Index,
        known: Mapping[int, ir.Value],
    ) -> list[ir.Value]:
        """Make a stage's body on vectors and return what it yields."""
        body = stage.op.regions[0].blocks[0]
        made: dict[ir.Value, ir.Value] = {}
        for argument, operand in zip(body.arguments, stage.inputs, strict=True):
            if not len(list(argument.uses)):
                continue
            if operand is None:
                assert before is not None, "an initial value has nothing before it"
                made[argument] = before
            elif isinstance(operand, Operand):
                made[argument] = self._value(operand, position, count, known)
            else:
                made[argument] = self._scalar(operand)
        for inner in body.operations:
            op = inner.operation
            operands = [made[v] if v in made else self._scalar(v) for v in op.operands]
            if op.name == "linalg.yield":
                return operands
            if op.name == "linalg.index":
                number = ir.IntegerAttr(op.attributes["dim"]).value
                made[op.results[0]] = self._index(stage.order[number], position)
                continue
            self._remake(op, operands, made)
        raise AssertionError("a body ends with a yield")

    def _remake(
        self, op: ir.Operation, operands: list[ir.Value], made: dict[ir.Value, ir.Value]
    ) -> None:
        if op.name == "arith.constant":
            made[op.results[0]] = self._scalar(op.results[0])
            return
        kinds = [ir.VectorType.get([self.lanes], r.type) for r in op.results]
        attributes = {name: op.attributes[name] for name in op.attributes}
        new = ir.Operation.create(op.name, kinds, operands, attributes)
        made.update(zip(op.results, new.results, strict=True))

    def _index(self, loop: int, position: Position) -> ir.Value:
        """Return the index of each lane along a loop."""
        first = code.broadcast(code.as_value(position[loop]), self.lanes)
        if loop != self.kernel.column.output:
            return first
        return arith.addi(first, vector.step(first.type))

    def _value(
        self, operand: Operand, position: Position, count: Index, known: Mapping[int, ir.Value]
    ) -> ir.Value:
        found = known.get(id(operand))
        return self._load(operand, position, count, self.lanes) if found is None else found

    def _scalar(self, value: ir.Value) -> ir.Value:
        """Return a constant or scalar argument as a vector."""
        owner = value.owner
        if isinstance(owner, ir.Block):
            return code.broadcast(self.arguments[ir.BlockArgument(value).arg_number], self.lanes)
        return code.splat(self.lanes, value.type, owner.operation.attributes["value"])

    def _address(self, operand: Operand, position: Position) -> Index:
        terms = [code.scaled(position[k], s) for k, s in operand.strides.items() if k in position]
        return code.add(operand.offset, *terms)

    def _load(self, operand: Operand, position: Position, count: Index, lanes: int) -> ir.Value:
        buffer = self.arguments[operand.argument]
        at = self._address(operand, position)
        step = operand.stride(self.kernel.column.output)
        if step == 0:
            return code.broadcast(memref.load(buffer, [code.as_value(at)]), lanes)
        mask = code.prefix_mask(lanes, count)
        if step == 1:
            return code.load(buffer, at, lanes, mask)
        return code.gather(buffer, at, [i * step for i in range(lanes)], mask)
