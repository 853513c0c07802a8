"""Who uses a buffer, in what order, and as what: on functions whose tensors are buffers.

Flows in: ops of such a function. Flows out: their numbers in program order, all users of a buffer
through whatever views and loop carries, bytes of elements.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.errors import CompileError

VIEWS = {"memref.expand_shape", "memref.collapse_shape", "memref.cast", "memref.subview",
          "memref.reinterpret_cast", "memref.transpose", "memref.view"}  # fmt: skip
"""Ops whose result is a buffer that they are given, seen in another way."""


def number_ops(function: ir.Operation) -> dict[ir.Operation, tuple[int, int]]:
    """Number all ops in program order: op -> (its number, number of the last op inside it)."""
    spans: dict[ir.Operation, tuple[int, int]] = {}
    counter = 0

    def visit(op: ir.Operation) -> None:
        nonlocal counter
        first = counter
        counter += 1
        for region in op.regions:
            for block in region.blocks:
                for inner in block.operations:
                    visit(inner.operation)
        spans[op] = (first, counter - 1)

    visit(function)
    return spans


def element_bytes(kind: ir.Type) -> int:
    """Return the bytes of one stored element (`i1` and `index` included)."""
    if isinstance(kind, ir.IndexType):
        return 8
    width = kind.width if isinstance(kind, ir.IntegerType | ir.FloatType) else None
    if width is None:
        raise CompileError("an element type has no known size", got=str(kind))
    return -(-width // 8)


def ancestor_in(op: ir.Operation, block: ir.Block) -> ir.Operation:
    """Return the op of a block that is or contains an op."""
    current = op
    while current.block != block:
        current = current.parent.operation
    return current


def aliases(user: ir.Operation, operand_number: int) -> list[ir.Value]:
    """Return the values of `user` that may be the same buffer as one of its operands."""
    if user.name in VIEWS:
        return list(user.results)
    if user.name == "scf.for" and operand_number >= 3:
        i = operand_number - 3
        return [user.results[i], user.regions[0].blocks[0].arguments[1 + i]]
    if user.name == "scf.yield":
        parent = user.parent.operation
        same = [parent.results[operand_number]] if len(parent.results) else []
        if parent.name == "scf.while":
            same = list(parent.regions[0].blocks[0].arguments) + list(parent.results)
        return same
    if user.name in ("scf.while", "scf.condition"):
        parent = user if user.name == "scf.while" else user.parent.operation
        inner = [a for r in parent.regions for a in r.blocks[0].arguments]
        return [*parent.results, *inner]
    if user.name == "arith.select":
        return list(user.results)
    return []


def users_of(buffer: ir.Value) -> list[ir.Operation]:
    """Return all ops that use a buffer or a view of it, each once, makers of views among them."""
    found: dict[ir.Operation, None] = {}
    views, seen = [buffer], set()
    while views:
        value = views.pop()
        if value in seen:
            continue
        seen.add(value)
        for use in value.uses:
            user = use.owner.operation
            found[user] = None
            views.extend(aliases(user, use.operand_number))
    return list(found)
