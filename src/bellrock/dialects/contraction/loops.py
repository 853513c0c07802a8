"""Index arithmetic and loops that fold as far as sizes are known.

Flows in: sizes, each an integer or an index value. Flows out: the same. What is known at compile
time costs no op, and a loop of one iteration is no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, scf

Size = int | ir.Value
Condition = bool | ir.Value


def value(size: Size) -> ir.Value:
    """Return a size as an index value."""
    if isinstance(size, int):
        return arith.constant(ir.IndexType.get(), size)
    return size


def add(a: Size, b: Size) -> Size:
    """Return a + b."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if a == 0 or b == 0:
        return b if a == 0 else a
    return arith.addi(value(a), value(b))


def subtract(a: Size, b: Size) -> Size:
    """Return a - b."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    return a if b == 0 else arith.subi(value(a), value(b))


def multiply(a: Size, b: Size) -> Size:
    """Return a * b."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    if a == 1 or b == 1:
        return b if a == 1 else a
    return arith.muli(value(a), value(b))


def minimum(a: Size, b: Size) -> Size:
    """Return the lesser."""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return arith.minsi(value(a), value(b))


def ceil_divide(a: Size, b: int) -> Size:
    """Return a / b, rounded up."""
    if isinstance(a, int):
        return -(-a // b)
    return a if b == 1 else arith.divui(value(add(a, b - 1)), value(b))


def floor_divide(a: Size, b: int) -> Size:
    """Return a / b, rounded down; both are positive."""
    if isinstance(a, int):
        return a // b
    return a if b == 1 else arith.divui(a, value(b))


def round_down(a: Size, b: int) -> Size:
    """Return the largest multiple of b up to a."""
    return multiply(floor_divide(a, b), b)


def at_most(a: Size, b: Size) -> Condition:
    """Return whether a <= b."""
    if isinstance(a, int) and isinstance(b, int):
        return a <= b
    return arith.cmpi(arith.CmpIPredicate.sle, value(a), value(b))


def both(a: Condition, b: Condition) -> Condition:
    """Return a and b."""
    if isinstance(a, bool):
        return b if a else False
    if isinstance(b, bool):
        return a if b else False
    return arith.andi(a, b)


def choose(condition: Condition, yes: Size, no: Size) -> Size:
    """Return one of two sizes."""
    if isinstance(condition, bool):
        return yes if condition else no
    return arith.select(condition, value(yes), value(no))


def loop(
    lower: Size,
    upper: Size,
    step: int,
    body: Callable[[Size, list[ir.Value]], Sequence[ir.Value]],
    carried: Sequence[ir.Value] = (),
) -> list[ir.Value]:
    """Emit `for (i = lower; i < upper; i += step) carried = body(i, carried)`.

    Args:
        lower: first index.
        upper: end.
        step: distance.
        body: emits one iteration and returns what it carries on.
        carried: values at the start.

    Returns:
        The values at the end.
    """
    if isinstance(lower, int) and isinstance(upper, int) and upper - lower <= step:
        return list(body(lower, list(carried))) if lower < upper else list(carried)
    loop_op = scf.ForOp(value(lower), value(upper), value(step), list(carried))
    with ir.InsertionPoint(loop_op.body):
        scf.YieldOp(list(body(loop_op.induction_variable, list(loop_op.inner_iter_args))))
    return list(loop_op.results)


def each(lower: Size, upper: Size, step: int, body: Callable[[Size], None]) -> None:
    """Emit a loop that carries nothing."""

    def iteration(i: Size, _: list[ir.Value]) -> list[ir.Value]:
        body(i)
        return []

    loop(lower, upper, step, iteration)


def when(
    condition: Condition, then: Callable[[], None], otherwise: Callable[[], None] | None = None
) -> None:
    """Emit a branch, or the side that is known to be taken."""
    if isinstance(condition, bool):
        side = then if condition else otherwise
        if side is not None:
            side()
        return
    branch = scf.IfOp(condition, has_else=otherwise is not None)
    with ir.InsertionPoint(branch.then_block):
        then()
        scf.YieldOp([])
    if otherwise is not None:
        with ir.InsertionPoint(branch.else_block):
            otherwise()
            scf.YieldOp([])
