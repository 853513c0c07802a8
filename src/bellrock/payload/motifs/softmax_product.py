"""How an attention's last contraction reads its softmax: divided by its own body or an op before.

Flows in: the contraction. Flows out: exponentials, their total, values, and by which loops.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir

from bellrock.payload.motifs import bodies
from bellrock.payload.motifs.structured import REDUCTION, Structured


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftmaxProduct:
    """How an attention's last contraction reads the softmax."""

    exponential: ir.Value
    total: ir.Value
    weights: Structured | None
    values: int
    """Input of the contraction."""
    factor: ir.Value
    """What is made of it, to be multiplied."""
    loops: tuple[int, ...]
    """The contraction's loop for each dimension of the exponentials."""
    total_loops: tuple[int, ...]
    """The contraction's loop for each dimension of the total."""
    empty_is_zero: bool


def read_softmax_product(output: Structured) -> SoftmaxProduct | None:
    """Read a contraction with a quotient that it computes, or that an op of its own does."""
    ends = _quotient(output)
    if ends is not None:
        p, total, values, empty_is_zero = ends
        loops, total_loops = (bodies.single_loops(output.accesses[i]) for i in (p, total))
        if loops is None or total_loops is None:
            return None
        return SoftmaxProduct(
            exponential=output.values[p], total=output.values[total], weights=None, values=values,
            factor=output.op.regions[0].blocks[0].arguments[values], loops=loops,
            total_loops=total_loops, empty_is_zero=empty_is_zero,
        )  # fmt: skip
    factors = bodies.product_factors(output)
    for p in (0, 1) if factors is not None else ():
        assert factors is not None
        weights = bodies.made_by(output.values[p])
        divided = None if weights is None else _division(weights)
        loops = bodies.single_loops(output.accesses[p])
        if weights is None or divided is None or loops is None:
            continue
        plain = bodies.argument(output, bodies.before_widening(factors[p])) == p
        x, total, empty_is_zero = divided
        kept = bodies.single_loops(weights.accesses[total])
        if plain and kept is not None and bodies.is_identity(weights, x):
            return SoftmaxProduct(
                exponential=weights.values[x], total=weights.values[total], weights=weights,
                values=1 - p, factor=factors[1 - p], loops=loops,
                total_loops=tuple(loops[d] for d in kept), empty_is_zero=empty_is_zero,
            )  # fmt: skip
    return None


def _division(op: Structured) -> tuple[int, int, bool] | None:
    """Read `p / total`, perhaps in a narrower type: the inputs, and if zero totals become one."""
    if op.input_count != 2 or op.output_count != 1 or REDUCTION in op.iterators:
        return None
    quotient = bodies.maker(bodies.before_narrowing(bodies.yielded(op)), "arith.divf")
    if quotient is None or not bodies.is_identity(op, 2):
        return None
    divisor, guarded = bodies.guarded(quotient.operands[1], 0.0, 1.0)
    p, total = bodies.argument(op, quotient.operands[0]), bodies.argument(op, divisor)
    return None if p is None or total is None else (p, total, guarded)


def _quotient(op: Structured) -> tuple[int, int, int, bool] | None:
    """Read `out + p / total * v`: inputs p, total and v, and whether zero totals become one."""
    if op.output_count != 1 or op.input_count != 3 or REDUCTION not in op.iterators:
        return None
    total = bodies.maker(bodies.yielded(op), "arith.addf")
    for term in () if total is None else total.operands:
        times = bodies.maker(term, "arith.mulf")
        for i in (0, 1) if times is not None else ():
            assert times is not None
            quotient = bodies.maker(times.operands[i], "arith.divf")
            if quotient is None:
                continue
            divisor, guarded = bodies.guarded(quotient.operands[1], 0.0, 1.0)
            found = [bodies.argument(op, v) for v in
                     (quotient.operands[0], divisor, times.operands[1 - i])]  # fmt: skip
            if None not in found:
                p, s, v = (n for n in found if n is not None)
                return p, s, v, guarded
    return None
