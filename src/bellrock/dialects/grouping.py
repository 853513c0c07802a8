"""Which ops of a block make one kernel.

Flows in: a block of the entry function (or of a loop in it) on tensors. Flows out: groups in
the order in which they can be called, and the control ops whose bodies are grouped apart.

Each op has one of four roles. *host*: reshapes, scalars, control. *kernel*: anything that
computes or moves tensor elements. *cheap*: empties, fills, constants and slices (reshaped or
not), and pads that only windows read: every kernel that needs one makes it for itself.
*control*: a loop or branch with kernels inside.
A kernel starts as one op; then an elementwise op joins the kernel whose result only it
reads, and the maker of an op's initial value joins that op, if the way that was chosen for the
kernel's anchor takes them (`joining`). At last, kernels around reductions
that share their rows become one (`row_grouping`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from torch_mlir import ir

from bellrock.dialects.attention.chosen import chosen_attention
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import init_index, is_elementwise, iterators
from bellrock.dialects.joining import may_join
from bellrock.dialects.pads import PAD
from bellrock.dialects.row_grouping import EnoughRows, RowMerger, is_plain_reduction
from bellrock.dialects.unit_order import order_units

__all__ = ["Group", "Grouping", "Role", "defining_op", "group_block", "init_index",
           "is_elementwise", "is_tensor", "iterators", "role_of"]  # fmt: skip


class Role(enum.Enum):
    """What an op is to the partition (see the module's docstring)."""

    HOST = enum.auto()
    KERNEL = enum.auto()
    CHEAP = enum.auto()
    CONTROL = enum.auto()


@dataclass(slots=True, eq=False)
class Group:
    """The ops of one kernel, in program order; the last one is the root."""

    ops: list[ir.Operation] = field(default_factory=list)
    anchor: ir.Operation | None = None
    """The op that the kernel is for: whose choice is used."""
    closed: bool = False
    """Whether nothing may join: a lowering by hand takes these ops and no others."""


@dataclass(slots=True)
class Grouping:
    """All kernels of one block."""

    groups: list[Group]
    control: list[ir.Operation]


POSITION = "bellrock.position"
"""Unit attribute of a constant that stays outside kernels, so that they differ in less."""
INSIDE = "bellrock.inside"
"""Unit attribute of a constant that goes into kernels, however large."""
_CHEAP = {"tensor.empty", "linalg.fill", "tensor.extract_slice"}
VIEWS = {"tensor.expand_shape", "tensor.collapse_shape", "tensor.cast"}
_LOOPS = {"scf.for", "scf.while", "scf.if"}
_KERNEL_DIALECTS = ("linalg.", "tm_tensor.")
_KERNEL_OPS = {"tensor.insert_slice", "tensor.pad", "tensor.generate", "tensor.gather",
               "tensor.scatter", "tensor.concat"}  # fmt: skip


def is_tensor(value: ir.Value) -> bool:
    """Whether a value is a ranked tensor."""
    return isinstance(value.type, ir.RankedTensorType)


def defining_op(value: ir.Value) -> ir.Operation | None:
    """Return the op that makes a value, or None for a block argument."""
    owner = value.owner
    return None if isinstance(owner, ir.Block) else owner.operation


def role_of(op: ir.Operation) -> Role:
    """Classify one op of a block."""
    name = op.name
    if name in VIEWS:
        # A slice seen in another shape is still a slice: strided, so not the host's.
        source = defining_op(op.operands[0])
        of_slice = source is not None and (
            source.name in (*VIEWS, "tensor.extract_slice") or PAD in source.attributes
        )
        return role_of(source) if of_slice and source is not None else Role.HOST
    if PAD in op.attributes:
        return Role.CHEAP
    if name == "linalg.fill" and any(
        u.owner.operation.name == "tensor.insert_slice"
        and u.operand_number == 1
        and PAD not in u.owner.operation.attributes
        for u in op.results[0].uses
    ):
        return Role.KERNEL  # the rest of a padded tensor: worth a parallel loop of its own
    if POSITION in op.attributes:
        return Role.HOST
    if name == "arith.constant" and (INSIDE in op.attributes or not is_table(op)):
        return Role.CHEAP
    if name in _CHEAP:
        return Role.CHEAP
    if name == "scf.forall":
        return Role.KERNEL  # parallel already
    if name in _LOOPS:
        return Role.CONTROL if _has_kernels(op) else Role.KERNEL
    if name in _KERNEL_OPS or name.startswith(_KERNEL_DIALECTS):
        return Role.KERNEL
    return Role.HOST


def is_table(op: ir.Operation) -> bool:
    """Whether a constant is a tensor whose elements differ: it stays data of the host."""
    if not is_tensor(op.results[0]):
        return False
    value = op.attributes["value"]
    return not (isinstance(value, ir.DenseElementsAttr) and value.is_splat)


def _has_kernels(op: ir.Operation) -> bool:
    found = False

    def visit(nested: ir.Operation) -> ir.WalkResult:
        nonlocal found
        if nested != op and nested.name.startswith(_KERNEL_DIALECTS):
            found = True
            return ir.WalkResult.INTERRUPT
        return ir.WalkResult.ADVANCE

    op.walk(visit)
    return found


def group_block(block: ir.Block, enough: EnoughRows) -> Grouping:
    """Group the ops of a block into kernels.

    Args:
        block: its ops are put into an order in which each group can stand where its last op
            is: behind all that makes its inputs, before all that reads its results.
        enough: that kernels which share their rows have (see `row_grouping`).

    Returns:
        Groups in the order of their last ops.
    """
    ops = [o.operation for o in block.operations]
    position = {op: i for i, op in enumerate(ops)}
    roles = {op: role_of(op) for op in ops}
    group_of: dict[ir.Operation, Group] = {}
    for op in ops:
        if roles[op] is Role.KERNEL or (roles[op] is Role.CHEAP and _leaves(op, roles)):
            group_of[op] = Group(ops=[op], anchor=op)
    _close_attentions(ops, group_of, position)
    for op in ops:
        if op in group_of and not group_of[op].closed:
            _join_producer(op, group_of, position)
            _join_init(op, group_of, position)
            _join_inserted(op, group_of, position)
    if _join_rows(group_of, position, enough):
        ops = order_units(block, [tuple(g.ops) for g in _unique(group_of)])
        position = {op: i for i, op in enumerate(ops)}
    groups = sorted(_unique(group_of), key=lambda g: position[g.ops[-1]])
    return Grouping(groups=groups, control=[o for o in ops if roles[o] is Role.CONTROL])


def _unique(group_of: dict[ir.Operation, Group]) -> list[Group]:
    return list({id(g): g for g in group_of.values()}.values())


def _join_rows(
    group_of: dict[ir.Operation, Group], position: dict[ir.Operation, int], enough: EnoughRows
) -> bool:
    """Join kernels that share rows; returns whether any were joined."""
    before = _unique(group_of)
    tuples = {op: tuple(g.ops) for g in before for op in g.ops}
    if not tuples:
        return False
    first = next(iter(tuples))
    merger = RowMerger(tuples, position, lambda user: _in_block(user, first), enough)
    merger.run()
    joined = {id(t): t for t in tuples.values() if len(t) > len(group_of[t[-1]].ops)}
    for ops in joined.values():
        anchor = next(op for op in ops if is_plain_reduction(op))
        group = Group(ops=list(ops), anchor=anchor)
        group_of.update(dict.fromkeys(ops, group))
    return bool(joined)


def _close_attentions(
    ops: list[ir.Operation], group_of: dict[ir.Operation, Group], position: dict[ir.Operation, int]
) -> None:
    """Make one kernel of each attention whose choice is to go over the keys once."""
    for op in ops:
        attention = chosen_attention(op) if op in group_of else None
        if attention is not None and all(part in group_of for part in attention):
            group = Group(sorted(attention, key=lambda o: position[o]), anchor=op, closed=True)
            group_of.update(dict.fromkeys(attention, group))


def _leaves(op: ir.Operation, roles: dict[ir.Operation, Role]) -> bool:
    """Whether a cheap op's tensor is needed outside kernels, so that one has to make it."""
    if op.name in ("tensor.empty", "arith.constant"):
        return False
    return any(roles.get(_in_block(u.owner, op), Role.HOST) in (Role.HOST, Role.CONTROL)
               for u in op.results[0].uses)  # fmt: skip


def _in_block(user: ir.OpView | ir.Operation, op: ir.Operation) -> ir.Operation:
    """Return the ancestor of `user` that lies in the block of `op`."""
    current = user.operation
    while current.block != op.block:
        parent = current.parent
        assert parent is not None, "a use lies outside the block of its definition"
        current = parent.operation
    return current


def _users(op: ir.Operation) -> list[ir.Operation]:
    return [_in_block(u.owner, op) for r in op.results for u in r.uses]


def _join_producer(
    op: ir.Operation, group_of: dict[ir.Operation, Group], position: dict[ir.Operation, int]
) -> None:
    """Let an elementwise op join the kernel that makes one of its inputs."""
    if not is_elementwise(op):
        return
    for i in range(init_index(op)):
        producer = defining_op(op.operands[i])
        if producer is None or producer not in group_of or producer.name != "linalg.generic":
            continue
        group = group_of[producer]
        identity = maps_of(op)[i] == maps_of(op)[-1]
        if (
            identity
            and group is not group_of[op]
            and not group.closed
            and group.ops[-1] == producer
            and may_join(op, group.anchor)
            and len(producer.results) == 1
            and all(user == op for user in _users(producer))
            and maps_of(producer)[-1].is_projected_permutation
        ):
            _merge(group, group_of[op], group.anchor, group_of, position)
            return


def _join_init(
    op: ir.Operation, group_of: dict[ir.Operation, Group], position: dict[ir.Operation, int]
) -> None:
    """Let the elementwise maker of an op's initial value join the op's kernel."""
    if op.name != "linalg.generic":
        return
    maker = defining_op(op.operands[init_index(op)])
    if (
        maker is not None
        and maker in group_of
        and is_elementwise(maker)
        and group_of[maker] is not group_of[op]
        and group_of[maker].ops == [maker]
        and may_join(maker, group_of[op].anchor)
        and all(user == op for user in _users(maker))
    ):
        _merge(group_of[maker], group_of[op], group_of[op].anchor, group_of, position)


def _join_inserted(
    op: ir.Operation, group_of: dict[ir.Operation, Group], position: dict[ir.Operation, int]
) -> None:
    """Let an insert_slice join the copy that fills its slice."""
    if op.name != "tensor.insert_slice":
        return
    source = defining_op(op.operands[0])
    if source is not None and source in group_of and len(list(op.operands[0].uses)) == 1:
        group = group_of[source]
        named = source.name in ("linalg.copy", "linalg.generic")
        last = all(position[user] >= position[op] for user in _users(source))
        if group.ops[-1] == source and named and last and may_join(op, group.anchor):
            _merge(group, group_of[op], group.anchor, group_of, position)


def _merge(
    first: Group,
    second: Group,
    anchor: ir.Operation | None,
    group_of: dict[ir.Operation, Group],
    position: dict[ir.Operation, int],
) -> None:
    merged = Group(ops=sorted([*first.ops, *second.ops], key=lambda o: position[o]), anchor=anchor)
    for op in merged.ops:
        group_of[op] = merged
