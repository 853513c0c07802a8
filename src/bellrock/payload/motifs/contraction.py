"""Contractions: a product of two operands, summed over shared loops (matmul and its kin).

Flows in: `Structured`. Flows out: a `Motif` with `batch m n k`, or None.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir

from bellrock.payload.motifs.access import is_projection, loops_in
from bellrock.payload.motifs.base import Motif, MotifKind, product
from bellrock.payload.motifs.body import MULTIPLICATIONS, Combiner, Ref
from bellrock.payload.motifs.structured import PARALLEL, Structured

PACKABLE = "bellrock.packable"
"""Attribute of an op: operands that may be packed once per set of weights, for which there is
memory (`dialects/contraction/weights`). A stage before selection says so."""

_ROLES = {
    # (in left, in right, in output)
    (True, True, True): "batch",
    (True, False, True): "m",
    (False, True, True): "n",
    (True, True, False): "k",
}
_LETTERS = {"batch": "b", "m": "m", "n": "n", "k": "k"}
_ORDER = ("batch", "m", "n", "k")


@dataclass(frozen=True, slots=True)
class ProductSum:
    """The body of a contraction or convolution: `accumulator + left * right`."""

    left: frozenset[int]
    """Inputs that the first factor is computed from."""
    right: frozenset[int]
    plain: bool
    """Whether each factor is one input behind at most casts."""
    dtype: str
    """Type of the accumulation."""
    flops: int
    """At one point: 2, and what the factors' own computation takes."""


def read_product_sum(op: Structured) -> ProductSum | None:
    """Return the product that an op sums into its only output, or None."""
    body = op.body
    if op.output_count != 1 or len(body.yields) != 1:
        return None
    combiner = body.combiner(0, op.input_count)
    if combiner.name != "add" or combiner.update is None:
        return None
    factors = _factors(op, combiner)
    if factors is None:
        return None
    left, right = (body.leaves(f) for f in factors)
    if not left or not right or left & right or op.input_count in left | right:
        return None
    if min(right) < min(left):
        left, right = right, left
    plain = all(body.is_argument(f) for f in factors)
    # Integer products count as well: a matmul on i8 does as many operations as one on f32.
    return ProductSum(left, right, plain, combiner.dtype, max(2, body.flops))


def _factors(op: Structured, combiner: Combiner) -> tuple[Ref, Ref] | None:
    assert combiner.update is not None
    made_by = op.body.definition(combiner.update)
    if made_by is None or made_by.name not in MULTIPLICATIONS:
        return None
    first, second = made_by.operands
    return first, second


def match(op: Structured) -> Motif | None:
    """Return the motif if the op is a contraction."""
    product_sum = read_product_sum(op)
    if product_sum is None or not all(is_projection(a) for a in op.accesses):
        return None
    left, right = (_loops(op, side) for side in (product_sum.left, product_sum.right))
    output = op.output_loops
    roles = [_ROLES.get((i in left, i in right, i in output)) for i in range(len(op.loops))]
    if None in roles or "k" not in roles:
        return None
    if not product_sum.plain and not ("m" in roles and "n" in roles):
        return None  # a weighted sum with a computed factor is a reduction
    named = [r for r in roles if r is not None]
    lists = {name: op.sizes([i for i, r in enumerate(named) if r == name]) for name in _ORDER}
    return op.motif(
        MotifKind.CONTRACTION,
        dims={name: product(sizes) for name, sizes in lists.items()},
        lists=lists,
        roles=named,
        letters=letters_of(named, _LETTERS),
        accumulator=product_sum.dtype,
        plain=product_sum.plain,
        flops_per_point=product_sum.flops,
        packable=_packable(op.op),
    )


def _packable(op: ir.Operation) -> frozenset[int]:
    if PACKABLE not in op.attributes:
        return frozenset()
    return frozenset(ir.DenseI64ArrayAttr(op.attributes[PACKABLE]))


def letters_of(roles: list[str], letters: dict[str, str]) -> list[str]:
    """Name each loop after its role, numbered where a role has several loops."""
    names, counts = [], dict.fromkeys(letters, 0)
    for role in roles:
        several = roles.count(role) > 1
        names.append(f"{letters[role]}{counts[role]}" if several else letters[role])
        counts[role] += 1
    return names


def _loops(op: Structured, inputs: frozenset[int]) -> frozenset[int]:
    return frozenset().union(*(loops_in(op.accesses[i]) for i in inputs))


def is_reduction(op: Structured) -> bool:
    """Whether some loop is not parallel."""
    return any(i != PARALLEL for i in op.iterators)
