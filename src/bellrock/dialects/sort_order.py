"""The order of a sort: which of two elements stands before the other.

Flows in: the region of a `tm_tensor.sort`, which says whether one may stand before another, and
two elements of all tensors that are sorted together. Flows out: a truth value.

Where a second tensor holds integers (torch's indices), equal elements are ordered by these, which
is stable for the positions that torch-mlir puts there, and is the order of PyTorch on a CPU. NaN
is larger than any number, as in PyTorch.
"""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import arith

from bellrock.dialects.sequential_loops import combine

_INDEX_FORMS = {"olt": "lt", "ole": "lt", "ult": "lt", "ule": "lt",
                "ogt": "gt", "oge": "gt", "ugt": "gt", "uge": "gt"}  # fmt: skip


def comes_first(before: ir.Block, x: list[ir.Value], y: list[ir.Value]) -> ir.Value:
    """Whether `x` stands before `y`: by the sort's own order, then by an integer beside them."""
    first, second = _asks(before, x, y), _asks(before, y, x)
    strictly = arith.AndIOp(first, _not(second)).result
    tied = arith.CmpIOp(arith.CmpIPredicate.eq, first, second).result
    if isinstance(x[0].type, ir.FloatType):
        sooner, tied = _by_nan(before, x[0], y[0], tied)
        strictly = arith.OrIOp(strictly, sooner).result
    if len(x) > 1 and isinstance(x[1].type, ir.IntegerType):
        by_position = arith.CmpIOp(arith.CmpIPredicate.slt, x[1], y[1]).result
        strictly = arith.OrIOp(strictly, arith.AndIOp(tied, by_position).result).result
    return strictly


def _asks(before: ir.Block, x: list[ir.Value], y: list[ir.Value]) -> ir.Value:
    """Ask the sort's region whether `x` may stand before `y`; it also says so of equals."""
    return combine(before, [v for pair in zip(x, y, strict=True) for v in pair])


def _by_nan(
    before: ir.Block, x: ir.Value, y: ir.Value, tied: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """Return whether x is first since one of both is NaN, and whether they are tied after all."""
    x_nan, y_nan = (arith.CmpFOp(arith.CmpFPredicate.UNO, v, v).result for v in (x, y))
    ahead, behind = (x_nan, y_nan) if _is_descending(before) else (y_nan, x_nan)
    sooner = arith.AndIOp(ahead, _not(behind)).result
    alike = arith.CmpIOp(arith.CmpIPredicate.eq, x_nan, y_nan).result
    return sooner, arith.AndIOp(tied, alike).result


def _is_descending(before: ir.Block) -> bool:
    """Whether large elements come first, read off how the region compares its arguments."""
    for op in before.operations:
        if op.operation.name == "arith.cmpf":
            predicate = arith.CmpFPredicate(ir.IntegerAttr(op.attributes["predicate"]).value)
            larger = _INDEX_FORMS.get(predicate.name.lower()) == "gt"
            return larger == (op.operands[0] == before.arguments[0])
    return False


def _not(flag: ir.Value) -> ir.Value:
    true = arith.ConstantOp(ir.IntegerType.get_signless(1), 1).result
    return arith.XOrIOp(flag, true).result
