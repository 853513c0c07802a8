"""Attention: softmax of scaled, masked products of queries and keys, times values.

Flows in: the last op of it, a contraction whose factor is a quotient of exponentials and their sum.
Flows out: `Attention`, the ops that belong to it, found by walking up from there; and the `Motif`
of that last op, which stands for all of them where choices are made.
"""

from __future__ import annotations

import dataclasses
import math

from bellrock.payload.motifs import bodies, contraction
from bellrock.payload.motifs.attention_parts import (
    Attention,
    is_closed,
    narrowed_result,
    scaled_queries,
    sides_of,
    stages_above,
)
from bellrock.payload.motifs.attention_unnormalised import (
    ELEMENTWISE,
    UNNORMALISED,
    read_unnormalised,
)
from bellrock.payload.motifs.base import Motif, MotifKind, product
from bellrock.payload.motifs.softmax_product import read_softmax_product
from bellrock.payload.motifs.structured import REDUCTION, Structured


def match(op: Structured) -> Motif | None:
    """Return the motif of an attention's last op."""
    found = read_attention(op)
    motif = None if found is None else contraction.match(op)
    if found is None or motif is None:
        return None
    shape = found.shape
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
    variant = "" if found.exponential is not None else ELEMENTWISE
    return dataclasses.replace(
        motif, kind=MotifKind.ATTENTION, dims=dims, lists={},
        variant=variant if len(dtypes) == 1 else "mixed",
    )  # fmt: skip


def read_attention(output: Structured) -> Attention | None:
    """Return the attention that ends with an op, if there is one."""
    end = read_softmax_product(output)
    if end is None:
        return read_unnormalised(output) if UNNORMALISED in output.op.attributes else None
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
    chain = stages_above(scored)
    key = _softmax_dimension(exponential, sources, maximum, total)
    if chain is None or key is None or maximum.values[0] != scored:
        return None
    scores, stages = chain
    loops = end.loops
    if end.total_loops != tuple(d for i, d in enumerate(loops) if i != key):
        return None
    sides, factors = sides_of(scores, key), bodies.product_factors(scores)
    if sides is None or not bodies.is_filled(output, 0.0) or not bodies.is_filled(scores, 0.0):
        return None
    queries, query_dimensions = sides
    used = {loop for e in output.accesses[end.values] for loop, _ in e.terms}
    free = [d for d in query_dimensions if loops[d] not in used]
    if not free or factors is None:
        return None
    found = Attention(
        scaled=scaled_queries(scores, queries), scores=scores, stages=stages, maximum=maximum,
        exponential=exponential, total=total, weights=end.weights, output=output,
        narrowed=narrowed_result(output), queries=queries,
        values=end.values, query=max(free, key=lambda d: exponential.loops[d]), key=key,
        score_factors=factors, value_factor=end.factor, output_loops=loops,
        empty_is_zero=end.empty_is_zero,
    )  # fmt: skip
    return found if is_closed(found) else None


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
