"""Device code with one mistake in it, to check that mistakes are found.

Flows in: device modules, in the LLVM dialect as the interpreter runs them. Flows out: for each
kind of mistake the modules with it, or the reason why this code cannot have it:

* `wrong-operand-layout`: the two halves of each pair of k change places in the right operands of
  matrix instructions, as if they were loaded without the transformation that engines want;
* `dropped-barrier`: one barrier over local memory is gone (a mutant for each, a few at the most);
* `missing-epilogue`: the last operation before a kernel's stores is left out.

The last kernel that can have a mistake has it: nothing after it mends what it does.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bellrock.target.xegpu.container import DeviceModule
from bellrock.target.xegpu.loaders.simt.calls import is_barrier

if TYPE_CHECKING:
    from torch_mlir import ir

MOST_BARRIERS = 4
_PRODUCT = "matrix_mad"
_RIGHT = 1
"""Position of a matrix instruction's right operand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleMutant:
    """One mistake."""

    name: str
    modules: tuple[DeviceModule, ...] = ()
    """All of the program; empty where there cannot be such a mistake."""
    reason: str = ""
    """Why there cannot."""


def mutants_of(modules: Sequence[DeviceModule]) -> Iterator[ModuleMutant]:
    """Yield a program's modules with each kind of mistake.

    Args:
        modules: of the program, in order of first launch.
    """
    yield _last(modules, "wrong-operand-layout", _swap_layout, "no kernel uses matrix engines")
    yield from _barriers(modules)
    yield _last(
        modules, "missing-epilogue", _drop_epilogue,
        "no kernel stores a floating-point value that it has computed outside of its loops",
    )  # fmt: skip


Spoil = Callable[["ir.Operation"], bool]
"""Makes a mistake in a module, if it can."""


def _last(modules: Sequence[DeviceModule], name: str, spoil: Spoil, reason: str) -> ModuleMutant:
    for position in reversed(range(len(modules))):
        changed = _changed(modules[position], spoil)
        if changed is not None:
            whole = (*modules[:position], changed, *modules[position + 1 :])
            return ModuleMutant(name=name, modules=whole)
    return ModuleMutant(name=name, reason=reason)


def _barriers(modules: Sequence[DeviceModule]) -> Iterator[ModuleMutant]:
    name = "dropped-barrier"
    for number in range(MOST_BARRIERS):
        found = _last(
            modules, name if number == 0 else f"{name}[{number}]",
            lambda module, number=number: _drop_barrier(module, number),
            "no kernel has a barrier",
        )  # fmt: skip
        if number and not found.modules:
            return
        yield found


def _changed(module: DeviceModule, spoil: Spoil) -> DeviceModule | None:
    from torch_mlir import ir

    context = ir.Context()
    with context, ir.Location.unknown():
        whole = ir.Module.parse(module.llvm)
        inner = whole.body.operations[0].operation
        if not spoil(inner):
            return None
        stream = io.BytesIO()
        inner.write_bytecode(stream)
    return replace(module, llvm=stream.getvalue(), spirv=b"")


def _ops(root: ir.Operation) -> list[ir.Operation]:
    from torch_mlir import ir

    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        found.append(op)
        return ir.WalkResult.ADVANCE

    root.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def _callee(op: ir.Operation) -> str:
    """Return the symbol of the function that an op calls; empty for other ops."""
    from torch_mlir import ir

    if op.name != "llvm.call" or "callee" not in op.attributes:
        return ""
    return ir.FlatSymbolRefAttr(op.attributes["callee"]).value


def _swap_layout(module: ir.Operation) -> bool:
    """Swap the halves of the pairs of k in right operands of matrix instructions.

    Rewrite (b: vector<8xi32>):
        mad(%a, %b, %c)
      ->
        %h = bitcast %b to vector<16xi16>, its neighbours swapped; mad(%a, bitcast %h, %c)
    """
    from torch_mlir import ir
    from torch_mlir.dialects import llvm

    products = [op for op in _ops(module) if _PRODUCT in _callee(op)]
    for op in products:
        right = op.operands[_RIGHT]
        kind = ir.VectorType(right.type)
        halves = 2 * kind.shape[0]
        narrow = ir.VectorType.get(
            [halves], ir.IntegerType.get_signless(ir.IntegerType(kind.element_type).width // 2)
        )
        with ir.InsertionPoint(op), op.location:
            apart = llvm.BitcastOp(narrow, right).result
            order = ir.DenseI32ArrayAttr.get([i ^ 1 for i in range(halves)])
            swapped = ir.Operation.create(
                "llvm.shufflevector", [narrow], [apart, apart], {"mask": order}
            ).results[0]
            op.operands[_RIGHT] = llvm.BitcastOp(kind, swapped).result
    return bool(products)


def _drop_barrier(module: ir.Operation, number: int) -> bool:
    found = [op for op in _ops(module) if is_barrier(_callee(op))]
    if number >= len(found):
        return False
    found[number].erase()
    return True


def _drop_epilogue(module: ir.Operation) -> bool:
    """Put an operand for the result of the last float operation before each store."""
    stores = [op for op in _ops(module) if op.name == "llvm.store"]
    steps = [found for op in stores if (found := _step_before(op.operands[0])) is not None]
    for op, operand in steps:
        op.results[0].replace_all_uses_with(operand)
    return bool(steps)


def _step_before(stored: ir.Value) -> tuple[Any, ir.Value] | None:
    """Return the last float operation that a value comes from, and what to put in its place.

    Conversions and movements of elements are passed; loads, products of matrices and what comes
    from another block end the search.
    """
    left, seen = [stored], set()
    while left:
        value = left.pop(0)
        op = value.owner
        if value in seen or not hasattr(op, "operands"):
            continue
        seen.add(value)
        operation = op.operation if hasattr(op, "operation") else op
        if operation.name in ("llvm.load", "llvm.mlir.constant") or _PRODUCT in _callee(operation):
            continue
        if _is_arithmetic(operation):
            same = [v for v in operation.operands if v.type == value.type]
            variable = [v for v in same if not _is_constant(v)]
            if variable:
                return operation, variable[0]
        left += list(operation.operands)
    return None


_FLOATS = ("f16", "f32", "f64")
_MOVEMENT = (
    "llvm.bitcast", "llvm.extractelement", "llvm.insertelement", "llvm.shufflevector",
    "llvm.fptrunc", "llvm.fpext", "llvm.freeze",
)  # fmt: skip


def _is_arithmetic(op: ir.Operation) -> bool:
    if len(op.results) != 1 or op.name in _MOVEMENT:
        return False
    return str(op.results[0].type).rstrip(">").endswith(_FLOATS)


def _is_constant(value: ir.Value) -> bool:
    return getattr(value.owner, "name", "").startswith("llvm.mlir.")
