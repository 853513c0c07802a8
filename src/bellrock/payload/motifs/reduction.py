"""Reductions: some loops fold into the output, and neither product nor window explains it.

Flows in: `Structured`. Flows out: a `Motif` with parallel and reduced sizes, or None.
"""

from __future__ import annotations

from bellrock.payload.motifs.base import Motif, MotifKind, product
from bellrock.payload.motifs.body import Combiner
from bellrock.payload.motifs.structured import PARALLEL, Structured


def match(op: Structured) -> Motif | None:
    """Return the motif if some loop is not parallel."""
    if all(i == PARALLEL for i in op.iterators):
        return None
    combiners = [op.body.combiner(i, op.input_count + i) for i in range(len(op.body.yields))]
    parallel = op.sizes([i for i, t in enumerate(op.iterators) if t == PARALLEL])
    reduced = op.sizes([i for i, t in enumerate(op.iterators) if t != PARALLEL])
    first = combiners[0]
    plain = len(combiners) == 1 and first.update is not None and op.body.is_argument(first.update)
    return op.motif(
        MotifKind.REDUCTION,
        variant=_variant(op, combiners),
        dims={"parallel": product(parallel), "reduced": product(reduced)},
        lists={"parallel": parallel, "reduced": reduced},
        accumulator=first.dtype,
        plain=plain,
    )


def _variant(op: Structured, combiners: list[Combiner]) -> str:
    """Return the combiner's name; `arg-max` where an extremum carries its position along."""
    names = [c.name for c in combiners]
    positions = any(o.name == "linalg.index" for o in op.body.ops)
    if len(names) == 2 and positions and names[0] in ("max", "min"):
        return f"arg-{names[0]}"
    return names[0] if len(set(names)) == 1 else "custom"
