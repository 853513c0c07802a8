"""How a group of ops becomes a kernel function.

Flows in: a group from `grouping`. Flows out: a `func.func` in destination-passing style: its
arguments are the tensors and scalars that it reads, in order of first use, and then one destination
per result that nothing outside provides.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch_mlir import ir
from torch_mlir.dialects import func, linalg, tensor

from bellrock.dialects.given_choice import CHOICE, knobs_of
from bellrock.dialects.grouping import VIEWS, Group, Role, defining_op, role_of
from bellrock.dialects.kinds import kind_of
from bellrock.errors import CompileError

KERNEL = "bellrock.kernel"
"""Attribute of a kernel function: the kind of its anchor's motif, e.g. "contraction"."""
ANCHOR = "bellrock.anchor"
"""Unit attribute of the op whose choice a kernel follows."""


def anchor_of(root: ir.Operation) -> ir.Operation | None:
    """Return the first op below `root` that is marked as a kernel's anchor."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if ANCHOR in op.attributes:
            found.append(op)
            return ir.WalkResult.INTERRUPT
        return ir.WalkResult.ADVANCE

    root.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found[0] if found else None


def chosen_knobs(root: ir.Operation) -> str | None:
    """Return the class of knobs that the anchor below `root` was given, if there is one."""
    return knobs_of(anchor_of(root))


def drafted(group: Group) -> ir.Operation:
    """Make a group's kernel function at the insertion point, to be looked at and erased."""
    return Draft(group).function().operation


def _motif_of(anchor: ir.Operation | None) -> str:
    return (None if anchor is None else kind_of(anchor)) or "other"


def _captured(op: ir.Operation) -> Iterator[tuple[ir.Operation, int]]:
    """Yield every operand, of an op or of ops inside it, as (op, operand number)."""
    found: list[tuple[ir.Operation, int]] = []

    def visit(nested: ir.Operation) -> ir.WalkResult:
        found.extend((nested, i) for i in range(len(nested.operands)))
        return ir.WalkResult.ADVANCE

    op.walk(visit)
    yield from found


class Draft:
    """One kernel function under construction."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._inside = set(group.ops)
        self.inputs: list[ir.Value] = []
        self.outputs = [r for op in group.ops for r in op.results if self._is_output(r)]
        self.destinations: list[ir.RankedTensorType] = []
        self._map: dict[ir.Value, ir.Value] = {}
        self._empties: dict[ir.Operation, ir.Value] = {}
        self._taken: set[ir.Value] = set()
        """Destination arguments, each of one result."""

    def _is_output(self, value: ir.Value) -> bool:
        return any(self._owner_in_group(u.owner) is None for u in value.uses)

    def _owner_in_group(self, user: ir.OpView | ir.Operation) -> ir.Operation | None:
        """Return the group's op that is or contains `user`, or None."""
        current: ir.Operation | None = user.operation
        while current is not None:
            if current in self._inside:
                return current
            parent = current.parent
            current = None if parent is None else parent.operation
        return None

    def function(self) -> func.FuncOp:
        """Build the function (under a provisional name) at the insertion point."""
        self._collect_inputs()
        function = func.FuncOp(
            "kernel", ([v.type for v in self.inputs], [v.type for v in self.outputs]),
            visibility="private",
        )  # fmt: skip
        function.attributes[KERNEL] = ir.StringAttr.get(_motif_of(self._group.anchor))
        block = function.add_entry_block()
        self._map.update(zip(self.inputs, block.arguments, strict=True))
        with ir.InsertionPoint(block):
            for op in self._group.ops:
                self._clone(op)
            results = [self._map[v] for v in self.outputs]
            results = [self._settle(v, block) for v in results]
            func.ReturnOp(results)
        kind = ir.FunctionType.get(
            [a.type for a in block.arguments], [v.type for v in self.outputs]
        )
        function.attributes["function_type"] = ir.TypeAttr.get(kind)
        return function

    def _collect_inputs(self) -> None:
        """Find what comes from outside, looking through cheap ops, which are cloned."""
        pending = [value for op in self._group.ops for value in self._outside(op)]
        seen: set[ir.Value] = set()
        for value in pending:
            if value in seen:
                continue
            seen.add(value)
            owner = defining_op(value)
            if owner is not None and role_of(owner) is Role.CHEAP and owner not in self._inside:
                pending.extend(self._outside(owner))
            else:
                self.inputs.append(value)

    def _outside(self, op: ir.Operation) -> list[ir.Value]:
        values: list[ir.Value] = []
        for user, i in _captured(op):
            value = user.operands[i]
            owner = value.owner
            inner = owner if isinstance(owner, ir.Block) else owner.operation.block
            if self._is_inside(inner, op) or defining_op(value) in self._inside:
                continue
            values.append(value)
        return values

    @staticmethod
    def _is_inside(block: ir.Block, op: ir.Operation) -> bool:
        """Whether a block belongs to a region of `op`, at any depth."""
        if block == op.block:
            return False
        current: ir.Operation | None = block.owner.operation
        while current is not None:
            if current == op:
                return True
            parent = current.parent
            current = None if parent is None else parent.operation
        return False

    def _is_made_in(self, value: ir.Value, op: ir.Operation) -> bool:
        owner = defining_op(value)
        return owner is not None and self._is_inside(owner.block, op)

    def _clone(self, op: ir.Operation) -> None:
        replacements = [
            (path, self._value(user.operands[i]))
            for path, (user, i) in enumerate(_captured(op))
            if user.operands[i] in self._map
            or (self._is_cheap(user.operands[i]) and not self._is_made_in(user.operands[i], op))
        ]
        clone = op.clone()
        spots = list(_captured(clone))
        for path, new in replacements:
            user, i = spots[path]
            user.operands[i] = new
        if op == self._group.anchor:
            clone.attributes[ANCHOR] = ir.UnitAttr.get()
        elif CHOICE in clone.attributes:
            del clone.attributes[CHOICE]
        if (clone.name == "tensor.extract_slice" or clone.name in VIEWS) and (
            op == self._group.ops[-1]
        ):
            self._map[op.results[0]] = self._copy(clone)
            return
        self._map.update(zip(op.results, clone.results, strict=True))

    @staticmethod
    def _copy(slice_op: ir.Operation) -> ir.Value:
        """Copy a slice that leaves the kernel into a tensor of its own, by the slice's choice."""
        value = slice_op.results[0]
        empty = tensor.EmptyOp(list(value.type.shape), value.type.element_type).result
        copied = linalg.copy(value, outs=[empty])
        for name in (ANCHOR, CHOICE):
            if name in slice_op.attributes:
                copied.owner.operation.attributes[name] = slice_op.attributes[name]
                del slice_op.attributes[name]
        return copied

    def _is_cheap(self, value: ir.Value) -> bool:
        owner = defining_op(value)
        return (
            owner is not None
            and owner not in self._inside
            and value not in self._map
            and role_of(owner) is Role.CHEAP
        )

    def _value(self, value: ir.Value) -> ir.Value:
        """Return the kernel's own form of a value; cheap makers are cloned per use."""
        if value in self._map:
            return self._map[value]
        owner = defining_op(value)
        assert owner is not None, "block arguments are inputs"
        if owner in self._empties:
            return self._empties[owner]
        operands = [self._value(v) for v in owner.operands]
        clone = owner.clone()
        for i, new in enumerate(operands):
            clone.operands[i] = new
        if owner.name == "tensor.empty" and _is_filled_by_slices(owner):
            # What is made in a slice of it is inserted there: one buffer, or it is copied.
            self._empties[owner] = clone.results[0]
        return clone.results[0]

    def _settle(self, value: ir.Value, block: ir.Block) -> ir.Value:
        """Make an empty tensor, at the bottom of a result's chain, a destination argument.

        Each result needs one of its own, also where several were to be made in the same tensor.
        """
        current, writer = value, None
        while True:
            owner = defining_op(current)
            if owner is None:
                if writer is not None and current in self._taken:
                    last = max(i for i, v in enumerate(writer.operands) if v == current)
                    writer.operands[last] = self._destination(current, block)
                return value
            if owner.name == "tensor.empty":
                current.replace_all_uses_with(self._destination(current, block))
                owner.erase()
                return value
            current, writer = destination_of(owner, current), owner

    def _destination(self, like: ir.Value, block: ir.Block) -> ir.Value:
        argument = block.add_argument(like.type, ir.Location.unknown(like.context))
        self.destinations.append(ir.RankedTensorType(argument.type))
        self._taken.add(argument)
        return argument


def _is_filled_by_slices(empty: ir.Operation) -> bool:
    return any(
        u.owner.operation.name == "tensor.insert_slice" and u.operand_number == 1
        for u in empty.results[0].uses
    )


def destination_of(op: ir.Operation, result: ir.Value) -> ir.Value:
    """Return the operand that a destination-passing op writes a result into."""
    number = ir.OpResult(result).result_number
    name = op.name
    if name == "tensor.insert_slice":
        return op.operands[1]
    if name == "tensor.insert":
        return op.operands[1]
    if name == "scf.for":
        return op.operands[3 + number]
    if name == "tm_tensor.scan":
        return op.operands[1 + number]
    if name == "tm_tensor.scatter":
        return op.operands[2]
    if name == "scf.forall":
        return op.operands[len(op.operands) - len(op.results) + number]
    if name.startswith("linalg."):
        return op.operands[len(op.operands) - len(op.results) + number]
    if name == "tensor.extract_slice":
        return op.operands[0]
    if name == "bufferization.materialize_in_destination":
        return op.operands[1]
    raise CompileError("an op in a kernel has no known destination", got=name, where=op.location)
