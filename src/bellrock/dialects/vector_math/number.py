"""Values of the IR with the operators of arithmetic, so that a function reads as its formula.

Flows in: a value of type f32 or a vector of f32. Flows out: new `arith` and `math` ops at the
insertion point, on scalars or on vectors of the same shape. All ops are plain: without
fast-math flags, so that nothing reorders what the error bounds rest on.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, math

_COMPARISONS = {
    "==": arith.CmpFPredicate.OEQ, "<": arith.CmpFPredicate.OLT, "<=": arith.CmpFPredicate.OLE,
    ">": arith.CmpFPredicate.OGT, ">=": arith.CmpFPredicate.OGE, "!=": arith.CmpFPredicate.UNE,
    "unordered": arith.CmpFPredicate.UNO,
}  # fmt: skip
_SPLIT_FROM = 6
"""From so many coefficients on, odd and even powers are summed apart: half the latency."""


class Number:
    """A float or an integer, or a vector of them; constants adapt to the other operand."""

    __slots__ = ("value",)

    def __init__(self, value: ir.Value) -> None:
        """Wrap a value of the IR."""
        self.value = value

    @property
    def element(self) -> ir.Type:
        """Its element type."""
        kind = self.value.type
        return ir.VectorType(kind).element_type if isinstance(kind, ir.VectorType) else kind

    @property
    def is_float(self) -> bool:
        """Whether its elements are floats."""
        return isinstance(self.element, ir.FloatType)

    def like(self, element: ir.Type) -> ir.Type:
        """Return the type of its shape with other elements."""
        kind = self.value.type
        if isinstance(kind, ir.VectorType):
            return ir.VectorType.get(ir.VectorType(kind).shape, element)
        return element

    def constant(self, number: float) -> Number:
        """Return a constant of its own type."""
        element = self.element
        if isinstance(element, ir.FloatType):
            attribute: ir.Attribute = ir.FloatAttr.get(element, float(number))
        else:
            attribute = ir.IntegerAttr.get(element, int(number))
        kind = self.value.type
        if isinstance(kind, ir.VectorType):
            attribute = ir.DenseElementsAttr.get_splat(kind, attribute)
        return Number(arith.ConstantOp(kind, attribute).result)

    def lift(self, other: Operand) -> ir.Value:
        """Return an operand as a value of its own type."""
        return other.value if isinstance(other, Number) else self.constant(other).value

    def __add__(self, other: Operand) -> Number:
        add = arith.addf if self.is_float else arith.addi
        return Number(add(self.value, self.lift(other)))

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Number:
        subtract = arith.subf if self.is_float else arith.subi
        return Number(subtract(self.value, self.lift(other)))

    def __rsub__(self, other: Operand) -> Number:
        return Number(self.lift(other)) - self

    def __mul__(self, other: Operand) -> Number:
        multiply = arith.mulf if self.is_float else arith.muli
        return Number(multiply(self.value, self.lift(other)))

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Number:
        return Number(arith.divf(self.value, self.lift(other)))

    def __rtruediv__(self, other: Operand) -> Number:
        return Number(self.lift(other)) / self

    def __neg__(self) -> Number:
        return Number(arith.negf(self.value))

    def __abs__(self) -> Number:
        return Number(math.absf(self.value))

    def __lshift__(self, places: int) -> Number:
        return Number(arith.shli(self.value, self.lift(places)))

    def __rshift__(self, places: int) -> Number:
        """Keep the sign."""
        return Number(arith.shrsi(self.value, self.lift(places)))

    def unsigned_shift(self, places: int) -> Number:
        """Shift right, zeros from the left."""
        return Number(arith.shrui(self.value, self.lift(places)))

    def __and__(self, other: Operand) -> Number:
        return Number(arith.andi(self.value, self.lift(other)))

    def __or__(self, other: Operand) -> Number:
        return Number(arith.ori(self.value, self.lift(other)))

    def __xor__(self, other: Operand) -> Number:
        return Number(arith.xori(self.value, self.lift(other)))

    def compare(self, relation: str, other: Operand) -> Number:
        """Return a truth value; with NaN false, except for `!=` and `unordered`."""
        return Number(arith.cmpf(_COMPARISONS[relation], self.value, self.lift(other)))

    def equals(self, other: Operand) -> Number:
        """Compare integers."""
        return Number(arith.cmpi(arith.CmpIPredicate.eq, self.value, self.lift(other)))

    def is_negative(self) -> Number:
        """Whether an integer's highest bit is set."""
        return Number(arith.cmpi(arith.CmpIPredicate.slt, self.value, self.lift(0)))

    def at_most(self, other: int) -> Number:
        """Return the smaller of two signed integers."""
        return Number(arith.minsi(self.value, self.lift(other)))

    def clamp(self, low: float, high: float) -> Number:
        """Return the nearest number of an interval; NaN stays."""
        raised = choose(self.compare("<", low), low, self)
        return choose(raised.compare(">", high), high, raised)

    def with_sign_of(self, other: Number) -> Number:
        """Return its magnitude with another's sign."""
        return Number(math.copysign(self.value, other.value))

    def floor(self) -> Number:
        """Round down."""
        return Number(math.floor(self.value))

    def sqrt(self) -> Number:
        """Return the square root, correctly rounded."""
        return Number(math.sqrt(self.value))

    def bits(self) -> Number:
        """Return a float's bits as an integer of the same width."""
        width = 32 if isinstance(self.element, ir.F32Type) else 64
        kind = self.like(ir.IntegerType.get_signless(width))
        return Number(arith.bitcast(kind, self.value))

    def as_float(self) -> Number:
        """Return the float with these bits."""
        element = ir.F32Type.get() if ir.IntegerType(self.element).width == 32 else ir.F64Type.get()
        return Number(arith.bitcast(self.like(element), self.value))

    def to_single(self) -> Number:
        """Round an integer or a binary64 number to binary32."""
        kind = self.like(ir.F32Type.get())
        convert = arith.truncf if self.is_float else arith.sitofp
        return Number(convert(kind, self.value))

    def to_double(self) -> Number:
        """Widen binary32 to binary64, exactly."""
        return Number(arith.extf(self.like(ir.F64Type.get()), self.value))

    def to_i32(self) -> Number:
        """Keep the low half of a 64-bit integer."""
        return Number(arith.trunci(self.like(ir.IntegerType.get_signless(32)), self.value))


Operand = Number | float | int


def fma(a: Number, b: Operand, c: Operand) -> Number:
    """Return a b + c, rounded once."""
    return Number(math.fma(a.value, a.lift(b), a.lift(c)))


def choose(condition: Number, yes: Operand, no: Operand) -> Number:
    """Return `yes` where the condition holds, else `no`; one of them is a `Number`."""
    like = yes if isinstance(yes, Number) else no
    assert isinstance(like, Number)
    return Number(arith.select(condition.value, like.lift(yes), like.lift(no)))


def polynomial(x: Number, coefficients: Sequence[float]) -> Number:
    """Return the sum of coefficients times powers of x, from the constant up."""
    if len(coefficients) < _SPLIT_FROM:
        return horner(x, coefficients)
    square = x * x
    return fma(horner(square, coefficients[1::2]), x, horner(square, coefficients[::2]))


def horner(x: Number, coefficients: Sequence[float]) -> Number:
    """Return the same by fewest operations, each of which waits for the one before."""
    *rest, last = coefficients
    total = x.constant(last)
    for coefficient in reversed(rest):
        total = fma(total, x, coefficient)
    return total
