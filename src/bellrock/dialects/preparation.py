"""`transform.bellrock.hoist_preparation`: what depends on fixed arguments only runs once.

Fixed arguments (a model's parameters) carry the argument attribute `bellrock.fixed`. Kernels
called on nothing but them (packed weights, folded statistics, tables) move from the entry
function into a function of their own, `@<entry>_prepare`, which the runtime calls once per set
of weights; the entry function takes its results as further arguments (DESIGN section 2).

Rewrite:
    func @main(%x, %w {bellrock.fixed}) { %p = call @k_pack(%w, ..); %r = call @k(%x, %p, ..) }
  ->
    func @main(%x, %w, %p) { %r = call @k(%x, %p, ..) }
    func @main_prepare(%w) attributes {bellrock.prepares = array<i64: 1>} { %p = call @k_pack .. }

`bellrock.prepares` lists the positions of the fixed arguments that the function takes. Needs
outlined kernels, which are pure functions of tensors: that is what lets a call leave a loop.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Iterable

from torch_mlir import ir
from torch_mlir.dialects import ext, func, transform

from bellrock.dialects.buffer_uses import element_bytes
from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.grouping import VIEWS, is_tensor

FIXED = "bellrock.fixed"
"""Unit attribute of an argument whose contents rarely change between calls."""
PREPARES = "bellrock.prepares"
"""Attribute of a preparing function: positions of the entry's arguments that it takes."""
VALUE_BYTES = "bellrock.value_bytes"
"""Attribute of a preparing function: sizes of its results."""
SUFFIX = "_prepare"

GROWTH = 2
"""A value is prepared if it has at most this many times the bytes of what it is made of: what
is only repeated or broadcast is cheaper to make anew than to keep."""
SMALL_BYTES = 65536
"""Values up to this size are prepared whatever they are made of (tables, masks)."""

_FREE = {"tensor.empty", "arith.constant", *VIEWS}
"""Ops that cost nothing, which both functions may have."""


@edits_in_place(lambda op: hoist_preparation(op))
class HoistPreparationOp(Bellrock.Operation, name="hoist_preparation"):
    """Hoist what the handle's functions can prepare (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def mark_fixed(function: ir.Operation, positions: Iterable[int]) -> None:
    """Mark arguments of a function as fixed.

    Args:
        function: a `func.func`.
        positions: of the arguments.
    """
    context = function.context
    chosen = set(positions)
    count = len(function.regions[0].blocks[0].arguments)
    fixed = ir.DictAttr.get({FIXED: ir.UnitAttr.get(context)}, context)
    plain = ir.DictAttr.get({}, context)
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(
        [fixed if i in chosen else plain for i in range(count)], context
    )


def fixed_arguments(function: ir.Operation) -> list[int]:
    """Return the positions of a function's fixed arguments."""
    if "arg_attrs" not in function.attributes:
        return []
    attributes = ir.ArrayAttr(function.attributes["arg_attrs"])
    return [i for i, each in enumerate(attributes) if FIXED in ir.DictAttr(each)]


def hoist_preparation(function: ir.Operation) -> None:
    """Move what depends on fixed arguments only into a preparing function."""
    if "arg_attrs" not in function.attributes:
        return  # nobody has said which arguments are fixed
    positions = fixed_arguments(function)
    block = function.regions[0].blocks[0]
    fixed = _fixed_ops(block, [block.arguments[i] for i in positions])
    calls = [op for op in fixed if op.name == "func.call"]
    inside = set(fixed)
    kept = [value for call in calls for value in call.results if _is_kept(value, inside)]
    if not kept:
        return
    _Preparing(function, positions).return_values(kept)
    kinds = [value.type for value in kept]
    for value, kind in zip(kept, kinds, strict=True):
        value.replace_all_uses_with(block.add_argument(kind, function.location))
    for op in reversed(fixed):
        if not any(list(result.uses) for result in op.results):
            op.erase()
    _append_arguments(function, kinds)


def _fixed_ops(block: ir.Block, arguments: list[ir.Value]) -> list[ir.Operation]:
    """Return the free ops and the calls worth keeping, in order, that need fixed values only."""
    known = set(arguments)
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        candidate = op.name in _FREE or (op.name == "func.call" and _worth_keeping(op))
        if candidate and all(operand in known for operand in op.operands):
            found.append(op)
            known.update(op.results)
        return ir.WalkResult.ADVANCE

    for op in block.operations:
        op.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def _worth_keeping(call: ir.Operation) -> bool:
    made = sum(_bytes(value) for value in call.results)
    read = sum(
        _bytes(value)
        for value in call.operands
        if isinstance(value.owner, ir.Block) or value.owner.operation.name != "tensor.empty"
    )
    return made <= max(SMALL_BYTES, GROWTH * read)


def _bytes(value: ir.Value) -> int:
    if not is_tensor(value):
        return 0
    kind = ir.RankedTensorType(value.type)
    return math.prod(kind.shape) * element_bytes(kind.element_type)


def _is_kept(value: ir.Value, fixed: set[ir.Operation]) -> bool:
    """Whether something that is not prepared reads a value, directly or as a view."""
    for use in value.uses:
        user = use.owner.operation
        if user not in fixed:
            return True
        if user.name in VIEWS and any(_is_kept(seen, fixed) for seen in user.results):
            return True
    return False


class _Preparing:
    """The preparing function while it is built: clones what each returned value needs."""

    def __init__(self, function: ir.Operation, positions: list[int]) -> None:
        entry = function.regions[0].blocks[0]
        fixed = [entry.arguments[i] for i in positions]
        name = ir.StringAttr(function.attributes["sym_name"]).value + SUFFIX
        with ir.InsertionPoint(function), function.location:
            self.function = func.FuncOp(name, ([value.type for value in fixed], []))
            self.block = self.function.add_entry_block()
        self.function.operation.attributes[PREPARES] = ir.DenseI64ArrayAttr.get(
            positions, function.context
        )
        self._copies = dict(zip(fixed, self.block.arguments, strict=True))

    def return_values(self, values: list[ir.Value]) -> None:
        """Finish the function; it returns these values of the entry function."""
        with ir.InsertionPoint(self.block), self.function.location:
            func.ReturnOp([self._copy(value) for value in values])
        kind = ir.FunctionType.get(
            [a.type for a in self.block.arguments], [value.type for value in values]
        )
        self.function.operation.attributes["function_type"] = ir.TypeAttr.get(kind)
        self.function.operation.attributes[VALUE_BYTES] = ir.DenseI64ArrayAttr.get(
            [_bytes(value) for value in values], self.function.operation.context
        )

    def _copy(self, value: ir.Value) -> ir.Value:
        """Clone the op that makes a value, and first what that needs."""
        if value not in self._copies:
            maker = value.owner.operation
            operands = [self._copy(operand) for operand in maker.operands]
            clone = maker.clone()
            for i, operand in enumerate(operands):
                clone.operands[i] = operand
            self._copies.update(zip(maker.results, clone.results, strict=True))
        return self._copies[value]


def _append_arguments(function: ir.Operation, kinds: list[ir.Type]) -> None:
    context = function.context
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    function.attributes["function_type"] = ir.TypeAttr.get(
        ir.FunctionType.get([*kind.inputs, *kinds], list(kind.results), context)
    )
    plain = ir.DictAttr.get({}, context)
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(
        [*ir.ArrayAttr(function.attributes["arg_attrs"]), *[plain] * len(kinds)], context
    )


OPS = (HoistPreparationOp,)
