"""An order of a block's ops in which groups of them can each become one op.

Flows in: a block and groups, none of which needs, through others, what it makes itself. Flows
out: the block with its ops moved so that whatever reads a group's result comes after the
group's last op. Ops stay as near to their places as that allows.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence

from torch_mlir import ir

from bellrock.errors import CompileError


def order_units(block: ir.Block, groups: Sequence[tuple[ir.Operation, ...]]) -> list[ir.Operation]:
    """Move the ops of a block so that each group can be put where its last op is.

    Args:
        block: changed in place; its terminator stays last.
        groups: disjoint, each in program order.

    Returns:
        All ops in their new order.

    Raises:
        CompileError: groups need each other's results.
    """
    ops = [o.operation for o in block.operations]
    position = {op: i for i, op in enumerate(ops)}
    unit = {op: (op,) for op in ops} | {op: group for group in groups for op in group}
    needs = {id(u): _needs(u, unit, block) for u in unit.values()}
    users: dict[int, list[tuple[ir.Operation, ...]]] = {}
    for u in {id(u): u for u in unit.values()}.values():
        for producer in needs[id(u)]:
            users.setdefault(producer, []).append(u)
    missing = {key: len(n) for key, n in needs.items()}
    ready = [(position[u[-1]], u) for u in {id(u): u for u in unit.values()}.values()
             if not missing[id(u)]]  # fmt: skip
    heapq.heapify(ready)
    order: list[ir.Operation] = []
    while ready:
        _, u = heapq.heappop(ready)
        order.extend(u)
        for user in users.get(id(u), []):
            missing[id(user)] -= 1
            if not missing[id(user)]:
                heapq.heappush(ready, (position[user[-1]], user))
    if len(order) != len(ops):
        raise CompileError("groups of ops need each other's results", where=str(ops[0].location))
    return _moved(ops, order)


def is_convex(
    merged: Sequence[ir.Operation],
    groups: Mapping[ir.Operation, tuple[ir.Operation, ...]],
    position: Mapping[ir.Operation, int],
    ancestor: Callable[[ir.Operation], ir.Operation],
) -> bool:
    """Whether no path leaves some ops and comes back: then they can become one.

    Args:
        merged: ops of one block.
        groups: of ops that will be one, by each of them.
        position: of each op of the block.
        ancestor: the op of the block that is or contains an op.
    """

    def users_of(op: ir.Operation) -> list[ir.Operation]:
        return [ancestor(u.owner.operation) for r in op.results for u in r.uses]

    inside = set(merged)
    last = max(position[op] for op in merged)
    pending = [u for op in merged for u in users_of(op) if u not in inside]
    seen: set[ir.Operation] = set()
    while pending:
        unit = groups.get(op := pending.pop(), (op,))
        if op in seen or min(position[o] for o in unit) > last:
            continue
        seen.update(unit)
        users = [u for o in unit for u in users_of(o)]
        if any(u in inside for u in users):
            return False
        pending.extend(users)
    return True


def _moved(ops: list[ir.Operation], order: list[ir.Operation]) -> list[ir.Operation]:
    terminator = ops[-1]
    body = [op for op in order if op != terminator]
    for op in body:
        op.move_before(terminator)
    return [*body, terminator]


def _needs(
    group: tuple[ir.Operation, ...], unit: dict[ir.Operation, tuple[ir.Operation, ...]],
    block: ir.Block,
) -> set[int]:  # fmt: skip
    """Return the units whose results a unit reads, in bodies and regions too."""
    found: set[int] = set()

    def visit(nested: ir.Operation) -> ir.WalkResult:
        for value in nested.operands:
            if isinstance(value.owner, ir.Block) or value.owner.operation.block != block:
                continue
            producer = unit[value.owner.operation]
            if producer is not group:
                found.add(id(producer))
        return ir.WalkResult.ADVANCE

    for op in group:
        op.walk(visit)
    return found
