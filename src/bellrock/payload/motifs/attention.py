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

from bellrock.payload.motifs import bodies, contraction
from bellrock.payload.motifs.base import Motif, MotifKind, product
from bellrock.payload.motifs.softmax_product import read_softmax_product
from bellrock.payload.motifs.structured import REDUCTION, Structured


@dataclass(frozen=True, slots=True)
class Attention:
    """The ops of one attention. Dimensions are those of the tensor of scores."""

    scaled: Structured | None
    """What makes the queries of one tensor and constants, if nobody else reads them."""
    scores: Structured
    """Contraction of queries and keys."""
    stages: tuple[Structured, ...]
    """Elementwise ops on the scores: scale, mask, bias."""
    maximum: Structured
    exponential: Structured
    total: Structured
    weights: Structured | None
    """Quotient of exponentials and their total, if `output` does not divide itself."""
    output: Structured
    """Contraction with the values."""
    narrowed: Structured | None
    """The result in a narrower type, if nothing else reads it in the wider one."""
    queries: int
    """Input of `scores`; the keys are the other one."""
    values: int
    """Input of `output`."""
    query: int
    """Dimension along which softmaxes are independent, and that keys and values do not have."""
    key: int
    """Dimension of the softmax."""
    score_factors: tuple[ir.Value, ir.Value]
    """What the body of `scores` multiplies: made of its first input, and of its second."""
    value_factor: ir.Value
    """What the body of `output` multiplies the exponentials by: made of the values."""
    output_loops: tuple[int, ...]
    """The loop of `output` for each dimension."""
    empty_is_zero: bool
    """Whether a query that sees no key gives zeros instead of NaN."""

    @property
    def ops(self) -> tuple[ir.Operation, ...]:
        """All ops, in order of their data."""
        parts = (self.scaled, self.scores, *self.stages, self.maximum, self.exponential, self.total,
                 self.weights, self.output, self.narrowed)  # fmt: skip
        return tuple(p.op for p in parts if p is not None)

    @property
    def result(self) -> Structured:
        """The op whose result the attention's is."""
        return self.output if self.narrowed is None else self.narrowed


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
    dtypes = {found.scores.dtypes[0], found.scores.dtypes[1], found.output.dtypes[found.values]}
    return dataclasses.replace(
        motif, kind=MotifKind.ATTENTION, dims=dims, lists={},
        variant="" if len(dtypes) == 1 else "mixed",
    )  # fmt: skip


def read_attention(output: Structured) -> Attention | None:
    """Return the attention that ends with an op, if there is one."""
    end = read_softmax_product(output)
    if end is None:
        return None
    exponential, total = bodies.made_by(end.exponential), bodies.made_by(end.total)
    if exponential is None or total is None or not bodies.is_reduction(total, "arith.addf", 0.0):
        return None
    sources = _difference(exponential)
    if sources is None or total.values[0] != exponential.op.results[0]:
        return None
    maximum = bodies.made_by(exponential.values[sources[1]])
    if maximum is None or not bodies.is_reduction(maximum, "arith.maximumf", -math.inf):
        return None
    scored = exponential.values[sources[0]]
    chain = _stages(scored)
    key = _softmax_dimension(exponential, sources, maximum, total)
    if chain is None or key is None or maximum.values[0] != scored:
        return None
    scores, stages = chain
    loops = end.loops
    if end.total_loops != tuple(d for i, d in enumerate(loops) if i != key):
        return None
    sides, factors = _sides(scores, key), bodies.product_factors(scores)
    if sides is None or not bodies.is_filled(output, 0.0) or not bodies.is_filled(scores, 0.0):
        return None
    queries, query_dimensions = sides
    used = {loop for e in output.accesses[end.values] for loop, _ in e.terms}
    free = [d for d in query_dimensions if loops[d] not in used]
    if not free or factors is None:
        return None
    found = Attention(
        scaled=_scaled(scores, queries), scores=scores, stages=stages, maximum=maximum,
        exponential=exponential, total=total, weights=end.weights, output=output,
        narrowed=_narrowed(output), queries=queries,
        values=end.values, query=max(free, key=lambda d: exponential.loops[d]), key=key,
        score_factors=factors, value_factor=end.factor, output_loops=loops,
        empty_is_zero=end.empty_is_zero,
    )  # fmt: skip
    return found if _is_closed(found) else None


def _scaled(scores: Structured, queries: int) -> Structured | None:
    """Return the op that makes the queries, if it is arithmetic on one tensor."""
    op = bodies.made_by(scores.values[queries])
    if op is None or op.input_count != 1 or op.output_count != 1 or REDUCTION in op.iterators:
        return None
    alone = len(list(scores.values[queries].uses)) == 1 and op.op.block == scores.op.block
    simple = bodies.is_arithmetic(op) and bodies.made_of(bodies.yielded(op)) == {0}
    single = bodies.single_loops(op.accesses[0]) is not None and bodies.is_identity(op, 1)
    return op if alone and simple and single else None


def _narrowed(output: Structured) -> Structured | None:
    """Return the only reader of the result, if it changes its type and nothing else."""
    users = [u.owner.operation for u in output.op.results[0].uses]
    if len(users) != 1 or users[0].name != "linalg.generic" or users[0].block != output.op.block:
        return None
    op = bodies.made_by(users[0].results[0]) if len(users[0].results) == 1 else None
    if op is None or op.input_count != 1 or REDUCTION in op.iterators:
        return None
    before = bodies.before_narrowing(bodies.yielded(op))
    fits = before != bodies.yielded(op) and bodies.argument(op, before) == 0
    single = bodies.single_loops(op.accesses[0]), bodies.single_loops(op.accesses[1])
    return op if fits and None not in single else None


def _difference(op: Structured) -> tuple[int, int] | None:
    """Read `exp(x - maximum)`: the two inputs."""
    exp = bodies.maker(bodies.yielded(op), "math.exp")
    difference = None if exp is None else bodies.maker(exp.operands[0], "arith.subf")
    if difference is None or op.input_count != 2:
        return None
    maximum, _ = bodies.guarded(difference.operands[1], -math.inf, 0.0)
    x, m = (bodies.argument(op, bodies.before_widening(v))
            for v in (difference.operands[0], maximum))  # fmt: skip
    return None if x is None or m is None else (x, m)


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
    fits = all(bodies.is_identity(op, i) for op, i in identities) and all(
        bodies.single_loops(op.accesses[i]) == kept for op, i in reductions
    )
    return reduced[0] if fits else None


def _stages(value: ir.Value) -> tuple[Structured, tuple[Structured, ...]] | None:
    """Walk up elementwise ops to the contraction that makes the scores."""
    stages: list[Structured] = []
    while True:
        op = bodies.made_by(value)
        if op is None or op.output_count != 1:
            return None
        if REDUCTION in op.iterators:
            found = bodies.product_factors(op)
            return None if found is None else (op, tuple(reversed(stages)))
        scored = [i for i in range(op.input_count) if _is_score(op, i)]
        if (
            len(scored) != 1
            or not bodies.is_identity(op, op.input_count)
            or not bodies.is_arithmetic(op)
        ):
            return None
        stages.append(op)
        value = op.values[scored[0]]


def _is_score(op: Structured, number: int) -> bool:
    """Whether an input is a tensor of the output's shape that an op on scores makes."""
    maker = bodies.made_by(op.values[number])
    if maker is None or not bodies.is_identity(op, number):
        return False
    uses = len(list(op.values[number].uses))
    last = op.shapes[op.input_count] == op.shapes[number]
    reduces = REDUCTION in maker.iterators
    return (uses == 1 and last and reduces) or (uses == 1 and any(
        _is_score(maker, i) for i in range(maker.input_count)
    ))  # fmt: skip


def _sides(scores: Structured, key: int) -> tuple[int, list[int]] | None:
    """Return the input with the queries, and the dimensions that only they have."""
    output = bodies.single_loops(scores.accesses[scores.input_count])
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
