"""What an op's body says, for patterns of several ops: its constants, comparisons, products.

Flows in: values and ops of linalg on tensors. Flows out: ops, numbers, inputs; None where a body
is something else.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.payload.motifs.access import Access
from bellrock.payload.motifs.structured import Structured, read_structured

_OEQ = 1
"""Number of the predicate `oeq`."""


def made_by(value: ir.Value) -> Structured | None:
    """Return the generic op that makes a value."""
    if isinstance(value.owner, ir.Block) or value.owner.operation.name != "linalg.generic":
        return None
    return read_structured(value.owner.operation)


def maker(value: ir.Value, name: str) -> ir.Operation | None:
    """Return the op that makes a value, if it has this name."""
    if isinstance(value.owner, ir.Block) or value.owner.operation.name != name:
        return None
    return value.owner.operation


def constant(value: ir.Value) -> float | None:
    """Return a constant floating-point number."""
    op = maker(value, "arith.constant")
    attribute = None if op is None else op.attributes["value"]
    return ir.FloatAttr(attribute).value if isinstance(attribute, ir.FloatAttr) else None


def guarded(value: ir.Value, when: float, instead: float) -> tuple[ir.Value, bool]:
    """Return x and whether the value is `x == when ? instead : x`."""
    select = maker(value, "arith.select")
    test = None if select is None else maker(select.operands[0], "arith.cmpf")
    if select is None or test is None:
        return value, False
    x = select.operands[2]
    if (
        ir.IntegerAttr(test.attributes["predicate"]).value == _OEQ
        and test.operands[0] == x
        and constant(test.operands[1]) == when
        and constant(select.operands[1]) == instead
    ):
        return x, True
    return value, False


def before_widening(value: ir.Value) -> ir.Value:
    """Return the value that is widened, or the value itself."""
    cast = maker(value, "arith.extf")
    return value if cast is None else cast.operands[0]


def before_narrowing(value: ir.Value) -> ir.Value:
    """Return the value that is rounded to a narrower type, or the value itself."""
    cast = maker(value, "arith.truncf")
    return value if cast is None else cast.operands[0]


def yielded(op: Structured) -> ir.Value:
    """Return what an op's body returns first."""
    return list(op.op.regions[0].blocks[0].operations)[-1].operation.operands[0]


def argument(op: Structured, value: ir.Value) -> int | None:
    """Return the input whose elements a value in the body is."""
    if not isinstance(value.owner, ir.Block) or value.owner != op.op.regions[0].blocks[0]:
        return None
    number = ir.BlockArgument(value).arg_number
    return number if number < op.input_count else None


def is_reduction(op: Structured, combiner: str, initial: float) -> bool:
    """Whether an op combines its one input, and nothing else, into its output."""
    made = maker(yielded(op), combiner)
    if made is None or op.input_count != 1 or op.output_count != 1:
        return False
    parts = [before_widening(v) for v in made.operands]
    both = {ir.BlockArgument(v).arg_number for v in parts if isinstance(v.owner, ir.Block)}
    return both == {0, 1} and is_filled(op, initial)


def product_factors(op: Structured) -> tuple[ir.Value, ir.Value] | None:
    """Return a and b of `out + a * b` in f32, a made of the first input and b of the second."""
    if op.input_count != 2 or op.output_count != 1 or not is_arithmetic(op):
        return None
    body = op.op.regions[0].blocks[0]
    total = maker(yielded(op), "arith.addf")
    for i in (0, 1) if total is not None else ():
        assert total is not None
        times = maker(total.operands[i], "arith.mulf")
        if times is None or total.operands[1 - i] != body.arguments[2]:
            continue
        inputs = [made_of(v) for v in times.operands]
        single = isinstance(times.results[0].type, ir.F32Type)
        if single and inputs in ([{0}, {1}], [{1}, {0}]):
            first = inputs.index({0})
            return times.operands[first], times.operands[1 - first]
    return None


def made_of(value: ir.Value) -> set[int]:
    """Return the numbers of the arguments that a value in a body is made of; -1: an index."""
    if isinstance(value.owner, ir.Block):
        return {ir.BlockArgument(value).arg_number}
    if value.owner.operation.name == "linalg.index":
        return {-1}
    return set().union(*(made_of(v) for v in value.owner.operation.operands))


def is_filled(op: Structured, number: float) -> bool:
    """Whether an op starts from a tensor of one number."""
    fill = maker(op.values[op.input_count], "linalg.fill")
    return fill is not None and constant(fill.operands[0]) == number


def single_loops(access: Access) -> tuple[int, ...] | None:
    """Return the loop of each dimension, if each is one loop and no two are the same."""
    loops = [e.loop for e in access]
    known = tuple(loop for loop in loops if loop is not None)
    return known if len(set(known)) == len(loops) else None


def is_identity(op: Structured, number: int) -> bool:
    """Whether an operand is indexed by the loops, in order."""
    return single_loops(op.accesses[number]) == tuple(range(len(op.loops)))


def is_arithmetic(op: Structured) -> bool:
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
