"""What is fused with a convolution: its initial value, elementwise ops after it, results.

Flows in: ops of a kernel function. Flows out: `Stage`s, whose bodies can be made on vectors, and
where results go; None for what is of another form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.convolution.operands import Operand, Source, operand_of, owner_of, source_of
from bellrock.dialects.grouping import init_index, is_elementwise
from bellrock.payload.motifs.access import Access, Expr
from bellrock.payload.motifs.structured import read_structured


@dataclass(frozen=True, slots=True)
class Stage:
    """An elementwise op on what the one before it made."""

    op: ir.Operation
    inputs: tuple[Operand | ir.Value | None, ...]
    """Of each argument of its body: a tensor in memory, a scalar, or None: the value before."""
    order: tuple[int, ...]
    """The anchor's loop that each of its own loops stands for."""


class UnknownInitial:
    """An initial value that cannot be computed element by element."""


def chain_of(anchor: ir.Operation) -> list[ir.Operation]:
    """Return the convolution and the elementwise ops after it."""
    chain = [anchor]
    while True:
        users = {u.owner.operation for r in chain[-1].results for u in r.uses}
        user = next(iter(users), None)
        if len(chain[-1].results) != 1 or len(users) != 1 or user is None:
            return chain
        if not is_elementwise(user):
            return chain
        chain.append(user)


def read_stage(
    op: ir.Operation, previous: ir.Operation | None, order: Sequence[int]
) -> Stage | None:
    """Read an elementwise op over the output's dimensions."""
    structured = read_structured(op)
    if structured is None or not _vectorisable(op):
        return None
    count = init_index(op)
    inputs: list[Operand | ir.Value | None] = []
    for i, value in enumerate(op.operands):
        access = structured.accesses[i]
        if previous is not None and value == previous.results[0]:
            if i >= count or [e.loop for e in access] != list(range(len(order))):
                return None
            inputs.append(None)
            continue
        operand = _operand(value, access, order)
        if operand is None:
            used = len(list(op.regions[0].blocks[0].arguments[i].uses)) > 0
            if used or i < count:
                return None
            operand = value
        inputs.append(operand)
    return Stage(op, tuple(inputs), tuple(order))


def _operand(value: ir.Value, access: Access, order: Sequence[int]) -> Operand | ir.Value | None:
    if not isinstance(value.type, ir.RankedTensorType):
        return value
    owner = owner_of(value)
    if owner is not None and owner.name == "linalg.fill":
        return owner.operands[0]
    source = source_of(value)
    return None if source is None else operand_of(source, access, order)


def _vectorisable(op: ir.Operation) -> bool:
    """Whether a body is arithmetic that has the same form on vectors."""
    for inner in op.regions[0].blocks[0].operations:
        name = inner.operation.name
        kinds = [v.type for v in (*inner.operation.operands, *inner.operation.results)]
        if name in ("linalg.yield", "linalg.index"):
            continue
        if not name.startswith(("arith.", "math.")) or len(inner.operation.regions):
            return False
        if not all(isinstance(k, ir.FloatType | ir.IntegerType | ir.IndexType) for k in kinds):
            return False
        if not all(_constant_or_inside(v, op) for v in inner.operation.operands):
            return False
    return True


def _constant_or_inside(value: ir.Value, op: ir.Operation) -> bool:
    owner = owner_of(value)
    if owner is None:
        return True
    return owner.block == op.regions[0].blocks[0] or owner.name == "arith.constant"


def read_results(
    last: ir.Operation, returned: Sequence[ir.Value], order: Sequence[int]
) -> tuple[Operand, ...] | None:
    """Return where the last op's results go: an argument, or a slice of one."""
    found: list[Operand] = []
    count = init_index(last)
    for i, result in enumerate(last.results):
        source = _destination(last.operands[count + i])
        inserted = [v for v in returned if _inserts(v, result)]
        if source is None or (result not in returned and not inserted):
            return None
        access = tuple(Expr(((d, 1),)) for d in range(len(order)))
        operand = operand_of(source, access, order)
        if operand is None:
            return None
        found.append(operand)
    return tuple(found) if len(returned) == len(found) else None


def _inserts(value: ir.Value, result: ir.Value) -> bool:
    """Whether a value is a tensor with a result put back where it was sliced from."""
    owner = owner_of(value)
    if owner is None or owner.name != "tensor.insert_slice" or owner.operands[0] != result:
        return False
    maker = owner_of(result)
    assert maker is not None, "a result has an op"
    slot = owner_of(maker.operands[init_index(maker) + ir.OpResult(result).result_number])
    names = ("static_offsets", "static_sizes", "static_strides")
    return (
        slot is not None
        and slot.name == "tensor.extract_slice"
        and slot.operands[0] == owner.operands[1]
        and all(slot.attributes[n] == owner.attributes[n] for n in names)
    )


def _destination(value: ir.Value) -> Source | None:
    """Follow the maker of an initial value down to the memory that it writes."""
    owner = owner_of(value)
    if owner is not None and owner.name in ("linalg.fill", "linalg.generic"):
        return _destination(owner.operands[len(owner.operands) - 1])
    return source_of(value)


def read_initial(
    anchor: ir.Operation, order: Sequence[int]
) -> tuple[Stage | Operand | ir.Value | UnknownInitial | None, ir.Operation | None]:
    """Return what the sums start from, and the op of the function that makes it."""
    value = anchor.operands[init_index(anchor)]
    owner = owner_of(value)
    if owner is not None and owner.name == "linalg.generic":
        stage = read_stage(owner, None, order) if is_elementwise(owner) else None
        return (UnknownInitial() if stage is None else stage), owner
    if owner is not None and owner.name == "linalg.fill":
        return (None if _is_zero(owner.operands[0]) else owner.operands[0]), None
    source = source_of(value)
    access = tuple(Expr(((d, 1),)) for d in range(len(order)))
    operand = None if source is None else operand_of(source, access, order)
    return (UnknownInitial() if operand is None else operand), None


def _is_zero(value: ir.Value) -> bool:
    owner = owner_of(value)
    if owner is None or owner.name != "arith.constant":
        return False
    constant = owner.attributes["value"]
    return isinstance(constant, ir.FloatAttr) and constant.value == 0.0
