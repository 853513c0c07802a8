"""What follows a contraction, computed on its sums while they are in registers.

Flows in: a contraction on buffers. Flows out: the elementwise op that alone reads its result,
where it may be computed tile by tile (`find_epilogue`), and its body on vectors (`Finish`).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import memref, vector

from bellrock.dialects.contraction.loops import Size, value
from bellrock.dialects.contraction.plan import OUT, Plan, contiguous
from bellrock.dialects.contraction.product import Product, load, store
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import init_index, is_elementwise

_CHEAP = frozenset(
    f"arith.{name}"
    for name in (
        "addf", "subf", "mulf", "divf", "negf", "maximumf", "minimumf", "maxnumf", "minnumf",
        "cmpf", "select", "extf", "truncf", "constant",
    )
)  # fmt: skip
"""What takes an instruction or two; functions would throw sums out of the registers."""
_RESULT = OUT + 1
"""Number of an epilogue's result in a plan; its inputs follow."""
_VIEWS = frozenset(
    f"memref.{name}"
    for name in ("subview", "cast", "reinterpret_cast", "collapse_shape", "expand_shape")
)
_NO_EFFECT = _VIEWS | {"memref.dim", "memref.alloc", "memref.alloca"}


@dataclass(frozen=True, kw_only=True)
class Epilogue:
    """An elementwise op that alone reads the result of a contraction."""

    op: ir.Operation
    total: ir.BlockArgument
    """The result, in the op's body."""
    inputs: list[tuple[ir.BlockArgument, ir.Value, ir.AffineMap]]
    """What else the body reads: buffers, and where in them."""
    scalars: list[tuple[ir.BlockArgument, ir.Value]]

    def operands(self) -> list[tuple[ir.Value, ir.AffineMap]]:
        """Return the op's result and inputs, by its loops, which are the contraction's results."""
        out = self.op.operands[len(self.op.operands) - 1]
        return [(out, maps_of(self.op)[-1]), *((buffer, at) for _, buffer, at in self.inputs)]


def find_epilogue(contraction: ir.Operation) -> Epilogue | None:
    """Return what alone reads a contraction's result and may be computed tile by tile."""
    result = contraction.operands[len(contraction.operands) - 1]
    users = {u.owner.operation for u in result.uses} - {contraction}
    users = {u for u in users if u.name != "memref.dealloc"}
    if not all(u.block == contraction.block for u in users):
        return None
    behind = [u for u in users if contraction.is_before_in_block(u)]
    if len(behind) != 1 or not _nothing_between(contraction, behind[0]):
        return None
    return _read(behind[0], result, contraction)


def _nothing_between(first: ir.Operation, second: ir.Operation) -> bool:
    """Whether no op between two of a block may read or write memory."""
    between = [
        op.operation
        for op in first.block.operations
        if first.is_before_in_block(op.operation) and op.operation.is_before_in_block(second)
    ]
    return all(
        op.name in _NO_EFFECT or op.name.startswith(("arith.", "affine.min", "affine.apply"))
        for op in between
    )


def _read(op: ir.Operation, result: ir.Value, contraction: ir.Operation) -> Epilogue | None:
    if not is_elementwise(op) or len(op.operands) != init_index(op) + 1:
        return None
    body = op.regions[0].blocks[0]
    maps, operands, arguments = maps_of(op), list(op.operands), list(body.arguments)
    read = [i for i, a in enumerate(arguments) if list(a.uses)]
    totals = [i for i in read if operands[i] == result]
    cheap = all(o.operation.name in _CHEAP for o in list(body.operations)[:-1])
    plain = all(_plain(maps[i]) for i in read)
    if not cheap or not plain or len(totals) != 1 or len(operands) - 1 in read:
        return None
    if maps[totals[0]] != maps[-1] or not _apart(op, totals[0], result, contraction):
        return None
    others = [i for i in read if i != totals[0]]
    buffers = [i for i in others if isinstance(operands[i].type, ir.MemRefType)]
    return Epilogue(
        op=op,
        total=arguments[totals[0]],
        inputs=[(arguments[i], operands[i], maps[i]) for i in buffers],
        scalars=[(arguments[i], operands[i]) for i in others if i not in buffers],
    )


def _plain(access: ir.AffineMap) -> bool:
    return all(isinstance(e, ir.AffineDimExpr) for e in access.results)


def _apart(op: ir.Operation, total: int, result: ir.Value, contraction: ir.Operation) -> bool:
    """Whether tiles may be finished before others are begun.

    What is written must be read by neither, but at the same place; and the contraction's own
    result, which may never be written, must be memory that nothing else reads.
    """
    out, maps, operands = op.operands[len(op.operands) - 1], maps_of(op), list(op.operands)
    if result != out and not _is_temporary(result):
        return False
    place = _memory(out)
    if any(_memory(factor) == place for factor in list(contraction.operands)[:-1]):
        return False
    return all(
        _memory(operand) != place or (operand == out and access == maps[-1])
        for i, (operand, access) in enumerate(zip(operands[:-1], maps, strict=False))
        if i != total
    )


def _is_temporary(buffer: ir.Value) -> bool:
    """Whether a buffer is an allocation, or the only view of one."""
    if isinstance(buffer.owner, ir.Block):
        return False
    memory, op = _memory(buffer), buffer.owner.operation
    if isinstance(memory.owner, ir.Block):
        return False
    allocated = memory.owner.operation.name in ("memref.alloc", "memref.alloca")
    only = memory == buffer or {u.owner.operation for u in memory.uses} == {op}
    return allocated and only


def _memory(buffer: ir.Value) -> ir.Value:
    """Return the argument or allocation that a buffer is a view of."""
    while not isinstance(buffer.owner, ir.Block) and buffer.owner.operation.name in _VIEWS:
        buffer = buffer.owner.operation.operands[0]
    return buffer


@dataclass(frozen=True, kw_only=True)
class _Input:
    argument: ir.BlockArgument
    view: ir.Value
    by_row: bool
    by_column: bool


@dataclass(frozen=True, kw_only=True)
class Finish:
    """An epilogue on a block: computes and stores results from vectors of sums."""

    epilogue: Epilogue
    product: Product
    out: ir.Value
    inputs: list[_Input]

    def of_columns(self, column: Size, count: Size) -> dict[ir.Value, ir.Value]:
        """Return what is the same for all rows: a vector for each argument of the body."""
        same = [each for each in self.inputs if not each.by_row]
        return {each.argument: self._load(each, 0, column, count) for each in same}

    def put(
        self, total: ir.Value, at: tuple[Size, Size], count: Size, same: dict[ir.Value, ir.Value]
    ) -> None:
        """Compute and store one vector of results.

        Args:
            total: the sums.
            at: row and first column.
            count: columns that there are from there on.
            same: from `of_columns`.
        """
        row, column = at
        made = {self.epilogue.total: total, **same}
        for each in self.inputs:
            if each.by_row:
                made[each.argument] = self._load(each, row, column, count)
        for argument, scalar in self.epilogue.scalars:
            made[argument] = self._all(scalar)
        store(self._body(made), self.out, row, column, count)

    def _body(self, made: dict[ir.Value, ir.Value]) -> ir.Value:
        """Make the body again, with vectors for scalars."""
        for each in self.epilogue.op.regions[0].blocks[0].operations:
            op = each.operation
            if op.name == "arith.constant":
                made[op.results[0]] = self._all(op.clone().results[0])
                continue
            operands = [made[v] if v in made else self._all(v) for v in op.operands]
            if op.name == "linalg.yield":
                return operands[0]
            kinds = [ir.VectorType.get([self.product.lanes], r.type) for r in op.results]
            attributes = {name: op.attributes[name] for name in op.attributes}
            new = ir.Operation.create(op.name, kinds, operands, attributes)
            made.update(zip(op.results, new.results, strict=True))
        raise AssertionError("a body ends with a yield")

    def _load(self, each: _Input, row: Size, column: Size, count: Size) -> ir.Value:
        row = row if each.by_row else 0
        if each.by_column:
            return load(each.view, row, column, self.product.lanes, count)
        return self._all(memref.load(each.view, [value(row), value(0)]))

    def _all(self, scalar: ir.Value) -> ir.Value:
        return vector.broadcast(ir.VectorType.get([self.product.lanes], scalar.type), scalar)


def finish_of(epilogue: Epilogue, plan: Plan, product: Product, at: list[Size]) -> Finish:
    """Return an epilogue on one block.

    Args:
        epilogue: that a plan takes.
        plan: of the contraction, with the epilogue's operands behind its own.
        product: how to multiply.
        at: index of each outer loop.
    """
    inputs = [
        _Input(
            argument=argument,
            view=plan.view(number, "m", "n", at),
            by_row=plan.axes["m"].steps[number] != 0,
            by_column=plan.axes["n"].steps[number] != 0,
        )
        for number, (argument, _, _) in enumerate(epilogue.inputs, _RESULT + 1)
    ]
    out = plan.view(_RESULT, "m", "n", at)
    return Finish(epilogue=epilogue, product=product, out=out, inputs=inputs)


def takes_epilogue(plan: Plan) -> bool:
    """Return whether vectors of sums are vectors of an epilogue's operands.

    Args:
        plan: of the contraction, with the epilogue's operands behind its own.
    """
    columns = plan.axes["n"]
    written = all(contiguous(plan, operand, "n") for operand in (OUT, _RESULT))
    side_by_side = columns.size == 1 or all(s in (0, 1) for s in columns.steps[_RESULT:])
    return written and side_by_side and not plan.outer_depth
