"""What all attentions are made of: scores, what is done to them, their product with values.

Flows in: ops of linalg on tensors. Flows out: `Attention`, and the parts that readers of it find by
walking up from its last op.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_mlir import ir

from bellrock.payload.motifs import bodies
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
    maximum: Structured | None
    """None, as the next two, where there is no softmax."""
    exponential: Structured | None
    total: Structured | None
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
    def shape(self) -> tuple[int, ...]:
        """Sizes of the scores."""
        last = self.stages[-1] if self.exponential is None else self.exponential
        return last.loops

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


def scaled_queries(scores: Structured, queries: int) -> Structured | None:
    """Return the op that makes the queries, if it is arithmetic on one tensor."""
    op = bodies.made_by(scores.values[queries])
    if op is None or op.input_count != 1 or op.output_count != 1 or REDUCTION in op.iterators:
        return None
    alone = len(list(scores.values[queries].uses)) == 1 and op.op.block == scores.op.block
    simple = bodies.is_arithmetic(op) and bodies.made_of(bodies.yielded(op)) == {0}
    single = bodies.single_loops(op.accesses[0]) is not None and bodies.is_identity(op, 1)
    return op if alone and simple and single else None


def narrowed_result(output: Structured) -> Structured | None:
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


def stages_above(value: ir.Value) -> tuple[Structured, tuple[Structured, ...]] | None:
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


def sides_of(scores: Structured, key: int) -> tuple[int, list[int]] | None:
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


def is_closed(found: Attention) -> bool:
    """Whether nobody else reads what the ops make on the way, and all are of one block."""
    ops = set(found.ops)
    inner = found.ops[:-1]
    return all(o.block == found.output.op.block for o in inner) and all(
        use.owner.operation in ops for o in inner for r in o.results for use in r.uses
    )
