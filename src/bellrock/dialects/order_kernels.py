"""`transform.bellrock.order_kernels`: call kernels in an order that needs less memory.

Missing upstream: passes keep the order in which a program was written. Where that makes many values
first and uses them later, all of them wait in memory: a recurrence that is unrolled in Python
computes every step's state, then every step's output. A call that ends the need for more bytes than
it starts comes as soon as it can instead.

Rewrite:
    %h1 = call @step(%h0); %h2 = call @step(%h1); %y1 = call @out(%h1); %y2 = call @out(%h2)
  ->
    %h1 = call @step(%h0); %h2 = call @step(%h1); %y1 = call @out(%h1); ...

Needs: outlined kernels, which are pure; the order stays as it was unless the peak is lower. What
overwrites a tensor stays behind all that read it before.
"""

# No postponed annotations here: the dialect reads the field types from them.
from dataclasses import dataclass, field

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.buffer_uses import ancestor_in
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.grouping import VIEWS
from bellrock.dialects.kernel_loops import written_argument
from bellrock.dialects.kernel_order import Needs, call_order, peak_of
from bellrock.dialects.live_bytes import tensor_bytes
from bellrock.dialects.outlining import KERNEL

_ALIASES = {*VIEWS, "tensor.extract_slice"}
_FREE = {*_ALIASES, "tensor.empty"}


@edits_in_place(lambda op: _order_all(op))
class OrderKernelsOp(Bellrock.Operation, name="order_kernels"):
    """Order the calls of the handle's functions (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _order_all(root: ir.Operation) -> None:
    functions = ops_named(root, "func.func")
    written: dict[str, list[int]] = {}
    for function in functions:
        if KERNEL in function.attributes and len(function.regions[0].blocks):
            name = ir.StringAttr(function.attributes["sym_name"]).value
            written[name] = _written_positions(function)
    for function in functions:
        if KERNEL not in function.attributes and len(function.regions[0].blocks):
            _order(function.regions[0].blocks[0], written)


def _written_positions(function: ir.Operation) -> list[int]:
    block = function.regions[0].blocks[0]
    results = list(list(block.operations)[-1].operation.operands)
    return [ir.BlockArgument(written_argument(v)).arg_number for v in results]


def _order(block: ir.Block, written: dict[str, list[int]]) -> None:
    reading = _Reading(block, written)
    before = list(range(len(reading.calls)))
    after = call_order(reading.needs)
    if peak_of(reading.needs, after) < peak_of(reading.needs, before):
        _move([reading.calls[i] for i in after], block)


def _is_free(op: ir.Operation) -> bool:
    return op.name in _FREE or op.name.startswith("arith.")


@dataclass(slots=True)
class _Reading:
    """The calls of a block, what they wait for and which memory they use."""

    block: ir.Block
    written: dict[str, list[int]]
    calls: list[ir.Operation] = field(init=False)
    needs: Needs = field(init=False)

    def __post_init__(self) -> None:
        ops = [o.operation for o in self.block.operations]
        self.calls = [op for op in ops[:-1] if not _is_free(op)]
        number = {op: i for i, op in enumerate(self.calls)}
        self.needs = Needs(after=[set() for _ in self.calls])
        memory: dict[ir.Value, int] = {}
        for op in ops[:-1]:
            for i, result in enumerate(op.results):
                readers = self._readers(result, number)
                if op in number:
                    for reader in readers - {number[op]}:
                        self.needs.after[reader].add(number[op])
                    self._write(op, i, memory, number)
                elif op.name in _ALIASES and op.operands[0] in memory:
                    memory[result] = memory[op.operands[0]]
                if result in memory:
                    self.needs.users[memory[result]] |= readers
                    if self._leaves(result, ops[-1]):
                        self.needs.size_bytes[memory[result]] = 0  # the caller's memory

    def _write(
        self, op: ir.Operation, i: int, memory: dict[ir.Value, int], number: dict[ir.Operation, int]
    ) -> None:
        """Note the memory of a result: what it overwrites, or its own."""
        into = self._into(op, i)
        result, call = op.results[i], number[op]
        if into is not None and into in memory:
            memory[result] = memory[into]
            earlier = {r for r in self._readers(into, number) if r < call}
            self.needs.after[call] |= earlier
            self.needs.users[memory[into]].add(call)
            return
        held = into is not None and isinstance(into.owner, ir.Block)
        memory[result] = len(self.needs.users)
        self.needs.users.append({call})
        self.needs.size_bytes.append(0 if held else tensor_bytes(result))

    def _into(self, op: ir.Operation, i: int) -> ir.Value | None:
        """Return what a call or a loop writes a result into, if that is known."""
        if op.name == "func.call":
            name = ir.FlatSymbolRefAttr(op.attributes["callee"]).value
            return op.operands[self.written[name][i]] if name in self.written else None
        return op.operands[3 + i] if op.name == "scf.for" else None

    def _readers(self, value: ir.Value, number: dict[ir.Operation, int]) -> set[int]:
        """Return the calls that read a value, or what costs nothing to make of it."""
        found: set[int] = set()
        pending = [value]
        while pending:
            for use in pending.pop().uses:
                user = ancestor_in(use.owner.operation, self.block)
                if user in number:
                    found.add(number[user])
                elif _is_free(user):
                    pending.extend(user.results)
        return found

    def _leaves(self, value: ir.Value, terminator: ir.Operation) -> bool:
        return any(u.owner.operation == terminator for u in value.uses)


def _move(calls: list[ir.Operation], block: ir.Block) -> None:
    """Put the calls in an order, each behind the free ops that it needs."""
    ops = [o.operation for o in block.operations]
    place = {call: i for i, call in enumerate(calls)}
    for op in reversed(ops[:-1]):
        if op not in place:
            readers = [place[u] for r in op.results for u in _users(r, block) if u in place]
            place[op] = min(readers, default=len(calls))
    terminator = ops[-1]
    # Sorting is stable: free ops for one call come in the order that they had, and before it.
    for op in sorted(ops[:-1], key=lambda o: (place[o], not _is_free(o))):
        op.move_before(terminator)


def _users(value: ir.Value, block: ir.Block) -> list[ir.Operation]:
    return [ancestor_in(u.owner.operation, block) for u in value.uses]


OPS = (OrderKernelsOp,)
