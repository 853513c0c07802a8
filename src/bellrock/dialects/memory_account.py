"""Who needs a host function's workspace, and when: an account of the plan that was made.

Flows in: a function after `plan_memory` (or a dump of it), where each buffer is a view of the
workspace at a known offset. Flows out: `MemoryAccount`: all buffers with the calls between which
they are needed, and the call around which most bytes are.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.buffer_uses import number_ops, users_of
from bellrock.dialects.extension import ops_named
from bellrock.dialects.plan_memory import WORKSPACE, buffer_of
from bellrock.errors import CompileError

_CALLS = ("func.call", "memref.copy")
"""Ops that read and write buffers on the host."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedBuffer:
    """One buffer in the workspace."""

    type: str
    size_bytes: int
    offset_bytes: int
    first_call: int
    """Number of the call that is the first to use it (the one that writes it)."""
    last_call: int
    first_op: int
    last_op: int
    """The same in numbers of ops, which tell apart what calls do not."""
    users: tuple[str, ...]
    """What uses it, in order: names of kernels, `copy`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryAccount:
    """The plan of one function."""

    workspace_bytes: int
    live_bytes: int
    """Most bytes that are needed at one time; a workspace above it has gaps."""
    peak_call: int
    """The first call at which as many are needed."""
    calls: tuple[str, ...]
    buffers: tuple[PlannedBuffer, ...]

    @property
    def at_peak(self) -> tuple[PlannedBuffer, ...]:
        """The buffers that are needed at the peak, largest first."""
        live = [b for b in self.buffers if b.first_call <= self.peak_call <= b.last_call]
        return tuple(sorted(live, key=lambda b: -b.size_bytes))


def account_of(function: ir.Operation) -> MemoryAccount:
    """Read the plan of a function.

    Raises:
        CompileError: no memory has been planned in it.
    """
    if WORKSPACE not in function.attributes:
        raise CompileError(
            "a function's memory is not planned",
            got=ir.StringAttr(function.attributes["sym_name"]).value,
            hint="the account is of what plan-memory leaves",
        )
    spans = number_ops(function)
    calls = [op for op in _walked(function) if op.name in _CALLS]
    numbers = {op: i for i, op in enumerate(calls)}
    workspace = _workspace(function)
    buffers = tuple(
        _planned(op, spans, numbers)
        for op in ops_named(function, "memref.view")
        if op.operands[0] == workspace
    )
    peak, live = _peak(buffers, len(calls))
    return MemoryAccount(
        workspace_bytes=ir.IntegerAttr(function.attributes[WORKSPACE]).value,
        live_bytes=live,
        peak_call=peak,
        calls=tuple(_label(op) for op in calls),
        buffers=buffers,
    )


def _walked(function: ir.Operation) -> list[ir.Operation]:
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        found.append(op)
        return ir.WalkResult.ADVANCE

    function.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def _workspace(function: ir.Operation) -> ir.Value:
    arguments = function.regions[0].blocks[0].arguments
    return arguments[len(arguments) - 1]


def _label(op: ir.Operation) -> str:
    if op.name == "func.call":
        return ir.FlatSymbolRefAttr(op.attributes["callee"]).value
    return "copy"


def _planned(
    op: ir.Operation, spans: dict[ir.Operation, tuple[int, int]], numbers: dict[ir.Operation, int]
) -> PlannedBuffer:
    buffer = buffer_of(op, spans)
    calls = [user for user in users_of(op.results[0]) if user in numbers]
    users = sorted(calls, key=numbers.__getitem__)
    # What is used inside a loop, and made outside of it, is needed until the loop ends.
    last = max((n for user, n in numbers.items() if spans[user][0] <= buffer.last), default=0)
    offset = op.operands[1].owner.operation.attributes["value"]
    return PlannedBuffer(
        type=str(op.results[0].type).removeprefix("memref<").removesuffix(">"),
        size_bytes=buffer.size_bytes,
        offset_bytes=ir.IntegerAttr(offset).value,
        first_call=numbers[users[0]] if users else last,
        last_call=last,
        first_op=buffer.first,
        last_op=buffer.last,
        users=tuple(_label(user) for user in users),
    )


def _peak(buffers: tuple[PlannedBuffer, ...], calls: int) -> tuple[int, int]:
    """Return the call at which most bytes are needed, and how many."""
    change = [0] * (calls + 1)
    for buffer in buffers:
        change[buffer.first_call] += buffer.size_bytes
        change[buffer.last_call + 1] -= buffer.size_bytes
    live, best = 0, (0, 0)
    for call, more in enumerate(change[:calls]):
        live += more
        if live > best[1]:
            best = (call, live)
    return best
