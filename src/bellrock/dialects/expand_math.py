"""`transform.bellrock.expand_math`: functions of `math` become arithmetic that vectorises.

Missing upstream: `math-polynomial-approximation` is not in the bindings, covers few functions, and
states no error. A call of the C library for each element, the alternative, keeps a loop from being
vectorised. Applies to binary32 and narrower types (which widen, compute and round once), on
scalars and on vectors of static shape; binary64 stays a call.

Rewrite:
    %y = math.exp %x : f32
  ->
    %k = math.fma %x, %log2e, %rounder : f32 ... arith.mulf ...

Runs last, when bodies are loops or vectors: earlier stages see one op for one function, and
none of them relaxes the arithmetic that the error bounds rest on.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import arith, ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.vector_math import EXPANSIONS, IN_BINARY64
from bellrock.dialects.vector_math.exponentials import exp2, scaling_by_instruction
from bellrock.dialects.vector_math.number import Number
from bellrock.dialects.vector_math.powers import LARGEST_PRODUCT, power, whole_power

_NARROW = (ir.BF16Type, ir.F16Type)


@edits_in_place(lambda op, **given: _expand_all(op, **given), options=("scales", "binary64"))
class ExpandMathOp(Bellrock.Operation, name="expand_math"):
    """Expand every function below the handle's ops that `EXPANSIONS` covers."""

    target: ext.Operand[transform.AnyOpType]
    scales: ir.IntegerAttr
    """Whether the processor multiplies vectors by powers of two in one instruction."""
    binary64: ir.IntegerAttr
    """Whether to expand functions that take binary64 on the way."""


def _expand_all(root: ir.Operation, *, scales: int, binary64: int) -> None:
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if op.name in EXPANSIONS or op.name == "math.fpowi":
            found.append(op)
        return ir.WalkResult.ADVANCE

    root.walk(visit)
    with scaling_by_instruction(available=bool(scales)):
        for op in found:
            if _is_covered(op) and (binary64 or not _takes_binary64(op)):
                with ir.InsertionPoint(op), op.location:
                    _expand(op)


def _is_covered(op: ir.Operation) -> bool:
    kind = op.results[0].type
    if isinstance(kind, ir.VectorType):
        if any(ir.VectorType(kind).scalable_dims):
            return False
        kind = ir.VectorType(kind).element_type
    if not isinstance(kind, (ir.F32Type, *_NARROW)):
        return False
    return op.name != "math.fpowi" or _constant(op.operands[1]) is not None


def _takes_binary64(op: ir.Operation) -> bool:
    if op.name == "math.powf":
        base, exponent = (_constant(v) for v in op.operands)
        return base != 2.0 and not _is_product(exponent)
    return op.name in IN_BINARY64 or (
        op.name == "math.fpowi" and not _is_product(_constant(op.operands[1]))
    )


def _is_product(exponent: float | None) -> bool:
    return exponent is not None and exponent in range(1, LARGEST_PRODUCT + 1)


def _expand(op: ir.Operation) -> None:
    result = op.results[0]
    operands = [Number(v) for v in op.operands]
    narrow = isinstance(operands[0].element, _NARROW)
    if narrow:
        single = ir.F32Type.get()
        operands = [
            Number(arith.extf(x.like(single), x.value)) if x.is_float else x for x in operands
        ]
    found = _expanded(op, operands).value
    if narrow:
        found = arith.truncf(result.type, found)
    result.replace_all_uses_with(found)
    op.erase()


def _expanded(op: ir.Operation, operands: list[Number]) -> Number:
    if op.name in ("math.powf", "math.fpowi"):
        return _power(operands[0], operands[1], *(_constant(v) for v in op.operands))
    return EXPANSIONS[op.name](*operands)


def _power(x: Number, y: Number, base: float | None, exponent: float | None) -> Number:
    if exponent is not None and _is_product(exponent):
        return whole_power(x, int(exponent))
    if base == 2.0:
        return exp2(y)
    return power(x, x.constant(exponent) if exponent is not None else y)


def _constant(value: ir.Value) -> float | None:
    """Return the number that a value is known to hold in all elements."""
    if isinstance(value.owner, ir.Block) or value.owner.operation.name != "arith.constant":
        return None
    attribute = value.owner.operation.attributes["value"]
    if isinstance(attribute, ir.DenseElementsAttr):
        if not attribute.is_splat:
            return None
        attribute = attribute.get_splat_value()
    if isinstance(attribute, ir.FloatAttr):
        return ir.FloatAttr(attribute).value
    return ir.IntegerAttr(attribute).value if isinstance(attribute, ir.IntegerAttr) else None


OPS = (ExpandMathOp,)
