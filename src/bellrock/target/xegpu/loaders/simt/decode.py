"""From a module in the LLVM dialect to what the interpreter runs.

Flows in: MLIR bytecode of a `gpu.module`. Flows out: functions as segments: straight lines of
instructions, each with its operands' and its result's place in a table of values. A segment ends
with a branch, a return or a barrier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bellrock.errors import DeviceError
from bellrock.target.xegpu.loaders.simt.arithmetic import Compute, arithmetic
from bellrock.target.xegpu.loaders.simt.calls import called, is_barrier
from bellrock.target.xegpu.loaders.simt.memory import GlobalMemory
from bellrock.target.xegpu.loaders.simt.movement import Layout, movement
from bellrock.target.xegpu.loaders.simt.types import Plain, Type, numbers_of, type_of


@dataclass(frozen=True, slots=True)
class Instruction:
    """One op."""

    compute: Compute
    operands: tuple[int, ...]
    result: int
    """Place of the result; -1 if there is none."""
    op: Any
    """For messages."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A way to another segment."""

    segment: int
    given: tuple[int, ...]
    """Places of the values that are passed."""
    taken: tuple[int, ...]
    """Places where they go."""


@dataclass(slots=True)
class Segment:
    """A straight line of instructions and what comes after it."""

    instructions: list[Instruction] = field(default_factory=list)
    edges: tuple[Edge, ...] = ()
    """One: on; two: for true and false; more: the default, then one for each case. None: return."""
    condition: int = -1
    cases: tuple[int, ...] = ()
    """Values of the condition of a switch."""
    barrier: Any = None
    """The op, if it ends with one."""
    returned: int = -1
    """Place of the value that the function returns."""
    live: frozenset[int] = frozenset()
    """Places of values that are used from its start on."""


@dataclass(slots=True)
class Function:
    """One function with a body."""

    name: str
    parameters: tuple[int, ...]
    kinds: tuple[Type, ...]
    """Of the parameters."""
    segments: list[Segment]
    values: int
    """Length of the table of values."""


@dataclass(slots=True)
class DecodedModule:
    """All functions of a module."""

    functions: dict[str, Function]
    layout: Layout
    owner: Any
    """What the ops live in."""


def decode(bytecode: bytes, memory: GlobalMemory) -> DecodedModule:
    """Decode a module, and put its constants into global memory.

    Raises:
        DeviceError: it has an op, a type or a function that the interpreter does not know.
    """
    from torch_mlir import ir

    context = ir.Context()
    with context, ir.Location.unknown():
        try:
            owner = ir.Module.parse(bytecode)
        except ir.MLIRError as error:
            raise DeviceError("not MLIR bytecode", got=str(error)[:300]) from error
        ops = [op for top in owner.body.operations for op in _inside(top.operation)]
        module = DecodedModule({}, _layout(ops, memory), owner)
        bodies = {
            op.attributes["sym_name"].value: op
            for op in ops
            if op.name == "llvm.func" and len(op.regions[0].blocks)
        }
        for name, op in bodies.items():
            module.functions[name] = _FunctionDecoder(op, module, frozenset(bodies)).function
    return module


def _inside(op: Any) -> list[Any]:
    """Return the ops of a gpu.module, or an op that stands beside one."""
    if op.name != "gpu.module":
        return [op]
    return [each.operation for each in op.regions[0].blocks[0].operations]


def _layout(ops: list[Any], memory: GlobalMemory) -> Layout:
    import numpy as np

    layout = Layout()
    for op in ops:
        if op.name != "llvm.mlir.global":
            continue
        name, kind = op.attributes["sym_name"].value, type_of(op.attributes["global_type"].value)
        space = op.attributes["addr_space"].value if "addr_space" in op.attributes else 0
        if space == 3:
            layout.local[name] = layout.take_local(kind.size_bytes)
            continue
        address = memory.allocate(kind.size_bytes)
        layout.constants[name] = address
        if "value" in op.attributes:
            numbers = numbers_of(op.attributes["value"], kind)
            memory.store(np.array([address]), numbers[None, :])
    return layout


class _FunctionDecoder:
    """Decodes one function."""

    def __init__(self, op: Any, module: DecodedModule, defined: frozenset[str]) -> None:
        self._places: dict[Any, int] = {}
        self._module, self._defined = module, defined
        self._segments: list[Segment] = []
        blocks = list(op.regions[0].blocks)
        self._first = self._number_segments(blocks)
        for block in blocks:
            for argument in block.arguments:
                self._place(argument)
        for block in blocks:
            self._decode_block(block)
        _find_live(self._segments)
        arguments = list(blocks[0].arguments)
        self.function = Function(
            name=op.attributes["sym_name"].value,
            parameters=tuple(self._place(a) for a in arguments),
            kinds=tuple(type_of(a.type) for a in arguments),
            segments=self._segments,
            values=len(self._places),
        )

    def _number_segments(self, blocks: list[Any]) -> dict[Any, int]:
        first, number = {}, 0
        for block in blocks:
            first[block] = number
            number += 1 + sum(_is_barrier_call(op.operation) for op in block.operations)
        return first

    def _place(self, value: Any) -> int:
        return self._places.setdefault(value, len(self._places))

    def _decode_block(self, block: Any) -> None:
        segment = Segment()
        for each in block.operations:
            op = each.operation
            if _is_barrier_call(op):
                segment.barrier = op
                segment.edges = (Edge(len(self._segments) + 1, (), ()),)
                self._segments.append(segment)
                segment = Segment()
            elif op.name in _ENDS:
                _ENDS[op.name](self, op, segment)
            else:
                segment.instructions.append(self._instruction(op))
        self._segments.append(segment)

    def _instruction(self, op: Any) -> Instruction:
        name = op.name.removeprefix("llvm.")
        compute = (
            arithmetic(op, name) or movement(op, name, self._module.layout) or self._call(op, name)
        )
        if compute is None:
            raise DeviceError("the interpreter knows no op of a name", got=f"{op.name}: {op}"[:300])
        return Instruction(
            compute, tuple(self._place(v) for v in op.operands),
            self._place(op.results[0]) if len(op.results) else -1, op,
        )  # fmt: skip

    def _call(self, op: Any, name: str) -> Compute | None:
        if name != "call":
            return None
        if "callee" not in op.attributes:
            raise DeviceError("the interpreter calls functions by name only", got=str(op)[:300])
        symbol = op.attributes["callee"].value
        if symbol in self._defined:
            from bellrock.target.xegpu.loaders.simt.execute import call_function

            functions = self._module.functions
            return lambda frame, *a: call_function(functions[symbol], frame, a)
        kind = type_of(op.results[0].type) if len(op.results) else None
        return called(symbol, kind if isinstance(kind, Plain) else None)

    def _edge(self, block: Any, values: list[Any]) -> Edge:
        return Edge(
            self._first[block],
            tuple(self._place(v) for v in values),
            tuple(self._place(a) for a in block.arguments),
        )

    def _branch(self, op: Any, segment: Segment) -> None:
        segment.edges = (self._edge(op.successors[0], list(op.operands)),)

    def _conditional(self, op: Any, segment: Segment) -> None:
        from torch_mlir import ir

        _, yes, no = list(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"]))
        values = list(op.operands)
        segment.condition = self._place(values[0])
        segment.edges = (
            self._edge(op.successors[0], values[1 : 1 + yes]),
            self._edge(op.successors[1], values[1 + yes : 1 + yes + no]),
        )

    def _switch(self, op: Any, segment: Segment) -> None:
        from torch_mlir import ir

        values = list(op.operands)
        segment.condition = self._place(values[0])
        counts = [list(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"]))[1]]
        if "case_operand_segments" in op.attributes:
            counts += list(ir.DenseI32ArrayAttr(op.attributes["case_operand_segments"]))
        if "case_values" in op.attributes:
            cases = op.attributes["case_values"]
            segment.cases = tuple(int(cases[i]) for i in range(len(cases)))
        edges, at = [], 1
        for block, count in zip(op.successors, counts, strict=True):
            edges.append(self._edge(block, values[at : at + count]))
            at += count
        segment.edges = tuple(edges)

    def _return(self, op: Any, segment: Segment) -> None:
        if len(op.operands):
            segment.returned = self._place(op.operands[0])

    def _unreachable(self, op: Any, segment: Segment) -> None:
        segment.instructions.append(Instruction(_reached, (), -1, op))


def _reached(frame: Any) -> None:
    from bellrock.target.xegpu.loaders.simt.memory import AccessError

    raise AccessError("a place is reached that never should be")


_ENDS: dict[str, Any] = {
    "llvm.br": _FunctionDecoder._branch,  # noqa: SLF001 (a table of its own methods)
    "llvm.cond_br": _FunctionDecoder._conditional,  # noqa: SLF001
    "llvm.switch": _FunctionDecoder._switch,  # noqa: SLF001
    "llvm.return": _FunctionDecoder._return,  # noqa: SLF001
    "llvm.unreachable": _FunctionDecoder._unreachable,  # noqa: SLF001
}


def _is_barrier_call(op: Any) -> bool:
    return (
        op.name == "llvm.call"
        and "callee" in op.attributes
        and is_barrier(op.attributes["callee"].value)
    )


def _find_live(segments: list[Segment]) -> None:
    """Find which values each segment, or one after it, uses and does not make itself."""
    used: list[set[int]] = []
    made: list[set[int]] = []
    for segment in segments:
        uses: set[int] = set()
        makes: set[int] = set()
        for instruction in segment.instructions:
            uses |= set(instruction.operands) - makes
            makes.add(instruction.result)
        last = {segment.condition, segment.returned} | {
            place for edge in segment.edges for place in edge.given
        }
        used.append(uses | (last - makes - {-1}))
        made.append(makes)
    changed = True
    while changed:
        changed = False
        for i in range(len(segments) - 1, -1, -1):
            live = set(used[i])
            for edge in segments[i].edges:
                live |= segments[edge.segment].live - set(edge.taken) - made[i]
            if live != segments[i].live:
                segments[i].live, changed = frozenset(live), True
