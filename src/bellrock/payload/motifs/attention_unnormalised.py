"""Attention without a softmax: values times an elementwise function of the scores.

Flows in: the last op of it, marked by a stage (`UNNORMALISED`): to a target that makes no one
kernel of them, these are two contractions. Flows out: `Attention`.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motifs import bodies
from bellrock.payload.motifs.attention_parts import (
    Attention,
    is_closed,
    narrowed_result,
    scaled_queries,
    sides_of,
    stages_above,
)
from bellrock.payload.motifs.structured import REDUCTION, Structured

UNNORMALISED = "bellrock.unnormalised_attention"
"""Attribute of the last op of an attention without a softmax."""
ELEMENTWISE = "elementwise"
"""Variant of the motif of such an attention."""


def read_unnormalised(output: Structured) -> Attention | None:
    """Return the attention without a softmax that ends with an op, if there is one.

    That is a product of an elementwise function of a product, in which keys and values are no
    matrices that all share: these are layers of a network, and much larger.
    """
    factors = bodies.product_factors(output)
    if factors is None or not bodies.is_filled(output, 0.0):
        return None
    found = (_with_weights(output, p, factors) for p in (0, 1))
    return next((a for a in found if a is not None and is_closed(a)), None)


def _with_weights(
    output: Structured, p: int, factors: tuple[ir.Value, ir.Value]
) -> Attention | None:
    """Read an attention whose weights are one of the inputs of its last op."""
    chain = stages_above(output.values[p])
    loops = bodies.single_loops(output.accesses[p])
    if chain is None or loops is None or not chain[1]:
        return None
    scores, stages = chain
    keys = [d for d, loop in enumerate(loops) if output.iterators[loop] == REDUCTION]
    made = bodies.product_factors(scores)
    sides = sides_of(scores, keys[0]) if len(keys) == 1 else None
    as_made = bodies.argument(output, bodies.before_widening(factors[p])) == p
    if made is None or sides is None or not as_made or not bodies.is_filled(scores, 0.0):
        return None
    queries, own = sides
    used = {loop for e in output.accesses[1 - p] for loop, _ in e.terms}
    free = [d for d in own if loops[d] not in used]
    batch = set(range(len(loops))) - {*own, *keys}
    if not free or not any(loops[d] in used for d in batch):
        return None
    return Attention(
        scaled=scaled_queries(scores, queries), scores=scores, stages=stages, maximum=None,
        exponential=None, total=None, weights=None, output=output,
        narrowed=narrowed_result(output), queries=queries, values=1 - p,
        query=max(free, key=lambda d: stages[-1].loops[d]), key=keys[0], score_factors=made,
        value_factor=factors[1 - p], output_loops=loops, empty_is_zero=False,
    )  # fmt: skip
