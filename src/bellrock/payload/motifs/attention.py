"""Attention: softmax of scaled, masked products of queries and keys, times values.

Flows in: the last op of it, a contraction whose factor is a quotient of exponentials and their sum.
Flows out: `Attention`, the ops that belong to it, found by walking up from there; and the `Motif`
of that last op, which stands for all of them where choices are made.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.payload.motifs import contraction
from bellrock.payload.motifs.access import Access
from bellrock.payload.motifs.base import Motif, MotifKind, product
from bellrock.payload.motifs.contraction import read_product_sum
from bellrock.payload.motifs.structured import REDUCTION, Structured, read_structured

_OEQ = 1
"""Number of the predicate `oeq`."""


@dataclass(frozen=True, slots=True)
class Attention:
    """The ops of one attention. Dimensions are those of the tensor of scores."""

    scores: Structured
    """Contraction of queries and keys."""
    stages: tuple[Structured, ...]
    """Elementwise ops on the scores: scale, mask, bias."""
    maximum: Structured
    exponential: Structured
    total: Structured
    output: Structured
    """Contraction with the values, which also divides by the total."""
    queries: int
    """Input of `scores`; the keys are the other one."""
    values: int
    """Input of `output`."""
    query: int
    """Dimension along which softmaxes are independent, and that keys and values do not have."""
    key: int
    """Dimension of the softmax."""
    output_loops: tuple[int, ...]
    """The loop of `output` for each dimension."""
    empty_is_zero: bool
    """Whether a query that sees no key gives zeros instead of NaN."""

    @property
    def ops(self) -> tuple[ir.Operation, ...]:
        """All ops, in order of their data."""
        parts = (*self.stages, self.maximum, self.exponential, self.total, self.output)
        return (self.scores.op, *(p.op for p in parts))


def match(op: Structured) -> Motif | None:
    """Return the motif of an attention's last op."""
    found = read_attention(op)
    motif = None if found is None else contraction.match(op)
    if found is None or motif is None:
        return None
    shape = found.exponential.loops
    others = [s for i, s in enumerate(shape) if i not in (found.query, found.key)]
    depth = [s for s, kind in zip(found.scores.loops, found.scores.iterators, strict=True)
             if kind == REDUCTION]  # fmt: skip
    dims = {
        "batch": product(tuple(others)),
        "queries": shape[found.query],
        "keys": shape[found.key],
        "depth": product(tuple(depth)),
        "features": motif.dims["n"],
    }
    dtypes = {d for part in (found.scores, found.output) for d in part.dtypes}
    return dataclasses.replace(
        motif, kind=MotifKind.ATTENTION, dims=dims, lists={},
        variant="" if len(dtypes) == 1 else "mixed",
    )  # fmt: skip


def read_attention(output: Structured) -> Attention | None:
    """Return the attention that ends with an op, if there is one."""
    ends = _quotient(output)
    if ends is None:
        return None
    p, total_input, values, empty_is_zero = ends
    exponential, total = _made_by(output.values[p]), _made_by(output.values[total_input])
    if exponential is None or total is None or not _is_reduction(total, "arith.addf", 0.0):
        return None
    sources = _difference(exponential)
    if sources is None or total.values[0] != exponential.op.results[0]:
        return None
    maximum = _made_by(exponential.values[sources[1]])
    if maximum is None or not _is_reduction(maximum, "arith.maximumf", -math.inf):
        return None
    scored = exponential.values[sources[0]]
    chain = _stages(scored)
    key = _softmax_dimension(exponential, sources, maximum, total)
    if chain is None or key is None or maximum.values[0] != scored:
        return None
    scores, stages = chain
    loops = _single_loops(output.accesses[p])
    kept = None if loops is None else tuple(d for i, d in enumerate(loops) if i != key)
    if loops is None or _single_loops(output.accesses[total_input]) != kept:
        return None
    sides = _sides(scores, key)
    if sides is None or not _is_filled(output, 0.0) or not _is_filled(scores, 0.0):
        return None
    queries, query_dimensions = sides
    used = {loop for e in output.accesses[values] for loop, _ in e.terms}
    free = [d for d in query_dimensions if loops[d] not in used]
    if not free:
        return None
    found = Attention(
        scores=scores, stages=stages, maximum=maximum, exponential=exponential, total=total,
        output=output, queries=queries, values=values,
        query=max(free, key=lambda d: exponential.loops[d]), key=key, output_loops=loops,
        empty_is_zero=empty_is_zero,
    )  # fmt: skip
    return found if _is_closed(found) else None


def _made_by(value: ir.Value) -> Structured | None:
    if isinstance(value.owner, ir.Block) or value.owner.operation.name != "linalg.generic":
        return None
    return read_structured(value.owner.operation)


def _maker(value: ir.Value, name: str) -> ir.Operation | None:
    """Return the op that makes a value, if it has this name."""
    if isinstance(value.owner, ir.Block) or value.owner.operation.name != name:
        return None
    return value.owner.operation


def _constant(value: ir.Value) -> float | None:
    op = _maker(value, "arith.constant")
    attribute = None if op is None else op.attributes["value"]
    return ir.FloatAttr(attribute).value if isinstance(attribute, ir.FloatAttr) else None


def _guarded(value: ir.Value, when: float, instead: float) -> tuple[ir.Value, bool]:
    """Return x and whether the value is `x == when ? instead : x`."""
    select = _maker(value, "arith.select")
    test = None if select is None else _maker(select.operands[0], "arith.cmpf")
    if select is None or test is None:
        return value, False
    x = select.operands[2]
    if (
        ir.IntegerAttr(test.attributes["predicate"]).value == _OEQ
        and test.operands[0] == x
        and _constant(test.operands[1]) == when
        and _constant(select.operands[1]) == instead
    ):
        return x, True
    return value, False


def _yielded(op: Structured) -> ir.Value:
    return list(op.op.regions[0].blocks[0].operations)[-1].operation.operands[0]


def _argument(op: Structured, value: ir.Value) -> int | None:
    """Return the input whose elements a value in the body is."""
    if not isinstance(value.owner, ir.Block) or value.owner != op.op.regions[0].blocks[0]:
        return None
    number = ir.BlockArgument(value).arg_number
    return number if number < op.input_count else None


def _quotient(op: Structured) -> tuple[int, int, int, bool] | None:
    """Read `out + p / total * v`: inputs p, total and v, and whether zero totals become one."""
    if op.output_count != 1 or op.input_count != 3 or REDUCTION not in op.iterators:
        return None
    total = _maker(_yielded(op), "arith.addf")
    for term in () if total is None else total.operands:
        times = _maker(term, "arith.mulf")
        for i in (0, 1) if times is not None else ():
            assert times is not None
            quotient = _maker(times.operands[i], "arith.divf")
            if quotient is None:
                continue
            divisor, guarded = _guarded(quotient.operands[1], 0.0, 1.0)
            found = [_argument(op, v) for v in
                     (quotient.operands[0], divisor, times.operands[1 - i])]  # fmt: skip
            if None not in found:
                p, s, v = (n for n in found if n is not None)
                return p, s, v, guarded
    return None


def _difference(op: Structured) -> tuple[int, int] | None:
    """Read `exp(x - maximum)`: the two inputs."""
    exp = _maker(_yielded(op), "math.exp")
    difference = None if exp is None else _maker(exp.operands[0], "arith.subf")
    if difference is None or op.input_count != 2:
        return None
    maximum, _ = _guarded(difference.operands[1], -math.inf, 0.0)
    x, m = _argument(op, difference.operands[0]), _argument(op, maximum)
    return None if x is None or m is None else (x, m)


def _is_reduction(op: Structured, combiner: str, initial: float) -> bool:
    """Whether an op combines its one input, and nothing else, into its output."""
    made = _maker(_yielded(op), combiner)
    if made is None or op.input_count != 1 or op.output_count != 1:
        return False
    both = {ir.BlockArgument(v).arg_number for v in made.operands if isinstance(v.owner, ir.Block)}
    return both == {0, 1} and _is_filled(op, initial)


def _is_filled(op: Structured, number: float) -> bool:
    fill = _maker(op.values[op.input_count], "linalg.fill")
    return fill is not None and _constant(fill.operands[0]) == number


def _single_loops(access: Access) -> tuple[int, ...] | None:
    """Return the loop of each dimension, if each is one loop and no two are the same."""
    loops = [e.loop for e in access]
    known = tuple(loop for loop in loops if loop is not None)
    return known if len(set(known)) == len(loops) else None


def _is_identity(op: Structured, number: int) -> bool:
    return _single_loops(op.accesses[number]) == tuple(range(len(op.loops)))


def _softmax_dimension(
    exponential: Structured, sources: tuple[int, int], maximum: Structured, total: Structured
) -> int | None:
    """Return the dimension that the maximum and the total reduce, if all else lines up."""
    rank = len(exponential.loops)
    reduced = [i for i, kind in enumerate(total.iterators) if kind == REDUCTION]
    if len(reduced) != 1:
        return None
    kept = tuple(i for i in range(rank) if i != reduced[0])
    identities = (
        (exponential, sources[0]),
        (exponential, exponential.input_count),
        (maximum, 0),
        (total, 0),
    )
    reductions = ((exponential, sources[1]), (maximum, 1), (total, 1))
    fits = all(_is_identity(op, i) for op, i in identities) and all(
        _single_loops(op.accesses[i]) == kept for op, i in reductions
    )
    return reduced[0] if fits else None


def _stages(value: ir.Value) -> tuple[Structured, tuple[Structured, ...]] | None:
    """Walk up elementwise ops to the contraction that makes the scores."""
    stages: list[Structured] = []
    while True:
        op = _made_by(value)
        if op is None or op.output_count != 1:
            return None
        if REDUCTION in op.iterators:
            product_sum = read_product_sum(op)
            plain = product_sum is not None and product_sum.plain and op.input_count == 2
            return (op, tuple(reversed(stages))) if plain else None
        scored = [i for i in range(op.input_count) if _is_score(op, i)]
        if len(scored) != 1 or not _is_identity(op, op.input_count) or not _is_arithmetic(op):
            return None
        stages.append(op)
        value = op.values[scored[0]]


def _is_score(op: Structured, number: int) -> bool:
    """Whether an input is a tensor of the output's shape that an op on scores makes."""
    maker = _made_by(op.values[number])
    if maker is None or not _is_identity(op, number):
        return False
    uses = len(list(op.values[number].uses))
    last = op.values[op.input_count].type == op.values[number].type
    reduces = REDUCTION in maker.iterators
    return (uses == 1 and last and reduces) or (uses == 1 and any(
        _is_score(maker, i) for i in range(maker.input_count)
    ))  # fmt: skip


def _is_arithmetic(op: Structured) -> bool:
    """Whether a body has the same form on vectors."""
    for view in op.op.regions[0].blocks[0].operations:
        inner = view.operation
        if inner.name in ("linalg.yield", "linalg.index"):
            continue
        if not inner.name.startswith(("arith.", "math.")) or len(inner.regions):
            return False
        for value in inner.operands:
            outside = not isinstance(value.owner, ir.Block) and (
                value.owner.operation.block != op.op.regions[0].blocks[0]
            )
            if outside and value.owner.operation.name != "arith.constant":
                return False
    return True


def _sides(scores: Structured, key: int) -> tuple[int, list[int]] | None:
    """Return the input with the queries, and the dimensions that only they have."""
    output = _single_loops(scores.accesses[scores.input_count])
    reduced = [i for i, kind in enumerate(scores.iterators) if kind == REDUCTION]
    if output is None or len(reduced) != 1:
        return None
    first, second = ({e.loop for e in scores.accesses[i]} for i in (0, 1))
    if None in first | second or (output[key] in first) == (output[key] in second):
        return None
    queries = 1 if output[key] in first else 0
    own = (second - first) if queries else (first - second)
    dimensions = [d for d, loop in enumerate(output) if loop in own]
    return (queries, dimensions) if reduced[0] in first & second else None


def _is_closed(found: Attention) -> bool:
    """Whether nobody else reads what the ops make on the way, and all are of one block."""
    ops = set(found.ops)
    inner = found.ops[:-1]
    return all(o.block == found.output.op.block for o in inner) and all(
        use.owner.operation in ops for o in inner for r in o.results for use in r.uses
    )
