"""Building loops, index arithmetic and masked vector accesses on flat buffers.

Flows in: plain integers and index values, buffers of rank 1. Flows out: `scf`, `arith`,
`memref` and `vector` ops at the insertion point. Arithmetic on integers known here is done
here, so that a lowering which writes loops by hand leaves no constants to fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch_mlir import ir
from torch_mlir.dialects import arith, memref, scf, vector

Index = int | ir.Value
"""An index that is known, or a value of type `index`."""

_UNROLLED_CHUNKS = 4
"""Vectors of one row that are written out; longer rows get a loop."""


def as_value(index: Index) -> ir.Value:
    """Return an index as a value."""
    if isinstance(index, int):
        return arith.constant(ir.IndexType.get(), index)
    return index


def add(*terms: Index) -> Index:
    """Return the sum of indices."""
    known = sum(t for t in terms if isinstance(t, int))
    total: Index | None = None
    for term in terms:
        if not isinstance(term, int):
            total = term if total is None else arith.addi(as_value(total), term)
    if total is None:
        return known
    return arith.addi(as_value(total), as_value(known)) if known else total


def scaled(index: Index, factor: int) -> Index:
    """Return an index times a known factor."""
    if isinstance(index, int):
        return index * factor
    if factor in (0, 1):
        return index if factor else 0
    return arith.muli(index, as_value(factor))


def subtract(a: Index, b: Index) -> Index:
    """Return a difference of indices."""
    if isinstance(b, int):
        return add(a, -b)
    return arith.subi(as_value(a), b)


def minimum(a: Index, b: Index) -> Index:
    """Return the smaller of two indices (signed)."""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return arith.minsi(as_value(a), as_value(b))


def maximum(a: Index, b: Index) -> Index:
    """Return the larger of two indices (signed)."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    return arith.maxsi(as_value(a), as_value(b))


def extent(total: int, block: int, at: Index) -> Index:
    """Return the size of a block of a loop: the last one may be smaller.

    Args:
        total: trips of the loop.
        block: size of the other blocks.
        at: the block's first trip.
    """
    return block if total % block == 0 else minimum(block, subtract(total, at))


def ceil_quotient(a: Index, b: int) -> Index:
    """Return a non-negative index divided by a known one, rounded up."""
    if isinstance(a, int):
        return -(-a // b)
    return arith.divui(as_value(add(a, b - 1)), as_value(b))


def ceil_quotient_signed(a: Index, b: int) -> Index:
    """Return an index divided by a known positive one, rounded up."""
    if isinstance(a, int):
        return -(-a // b)
    return a if b == 1 else arith.ceildivsi(a, as_value(b))


def quotient(a: Index, b: int) -> tuple[Index, Index]:
    """Return the quotient and remainder of a non-negative index by a known one."""
    if isinstance(a, int):
        return divmod(a, b)
    if b == 1:
        return a, 0
    return arith.divui(a, as_value(b)), arith.remui(a, as_value(b))


def below(a: Index, bound: int) -> ir.Value:
    """Return whether `0 <= a < bound`."""
    return arith.cmpi(arith.CmpIPredicate.ult, as_value(a), as_value(bound))


def less(a: Index, b: Index) -> ir.Value:
    """Return whether `a < b` (signed)."""
    return arith.cmpi(arith.CmpIPredicate.slt, as_value(a), as_value(b))


@contextmanager
def loop(low: Index, high: Index, step: int = 1) -> Iterator[Index]:
    """Emit what follows once for each index; a loop of one known trip is left out."""
    if isinstance(low, int) and isinstance(high, int) and low < high <= low + step:
        yield low
        return
    op = scf.ForOp(as_value(low), as_value(high), as_value(step))
    with ir.InsertionPoint(op.body):
        yield op.induction_variable
        scf.YieldOp([])


def carried_loop(
    trips: int,
    step: int,
    carried: Sequence[ir.Value],
    body: Callable[[Index, Sequence[ir.Value]], Sequence[ir.Value]],
) -> Sequence[ir.Value]:
    """Emit a loop from 0 that carries values, and return them after it."""
    if trips <= step:
        return body(0, carried)
    return carried_range(0, trips, carried, body, step)


def carried_range(
    low: Index,
    high: Index,
    carried: Sequence[ir.Value],
    body: Callable[[Index, Sequence[ir.Value]], Sequence[ir.Value]],
    step: int = 1,
) -> Sequence[ir.Value]:
    """Emit a loop that carries values, and return them after it."""
    op = scf.ForOp(as_value(low), as_value(high), as_value(step), list(carried))
    with ir.InsertionPoint(op.body):
        scf.YieldOp(list(body(op.induction_variable, list(op.inner_iter_args))))
    return list(op.results)


@contextmanager
def space(sizes: Sequence[int], *, parallel: bool) -> Iterator[list[Index]]:
    """Emit what follows for each point of a space: shared by the cores, or in order."""
    kept = [i for i, size in enumerate(sizes) if size != 1]
    point: list[Index] = [0] * len(sizes)
    if not kept:
        yield point
    elif parallel:
        op = scf.ForallOp([0] * len(kept), [sizes[i] for i in kept], [1] * len(kept))
        for i, variable in zip(kept, op.induction_variables, strict=True):
            point[i] = variable
        with ir.InsertionPoint(op.body):
            yield point
        op.terminator()
    else:
        loops = []
        for i in kept:
            context = loop(0, sizes[i])
            point[i] = context.__enter__()
            loops.append(context)
        yield point
        for context in reversed(loops):
            context.__exit__(None, None, None)


def branch(condition: ir.Value) -> tuple[ir.InsertionPoint, ir.InsertionPoint]:
    """Return the insertion points of the two branches of a condition."""
    op = scf.IfOp(condition, has_else=True)
    points: list[ir.InsertionPoint] = []
    for block in (op.then_block, op.else_block):
        with ir.InsertionPoint(block):
            scf.YieldOp([])
        points.append(ir.InsertionPoint.at_block_terminator(block))
    return points[0], points[1]


def stack_buffer(size: int, element: ir.Type, alignment: int = 64) -> ir.Value:
    """Return a buffer of the thread's stack (see `thread_buffers`).

    Args:
        size: in elements.
        element: type.
        alignment: in bytes.
    """
    kind = ir.MemRefType.get([size], element)
    return memref.alloca(kind, [], [], alignment=alignment)


def table(values: Sequence[int]) -> ir.Value:
    """Return a constant buffer of indices, kept beside the function."""
    at = ir.InsertionPoint.current.block.owner
    while at.operation.name != "func.func":
        at = at.operation.parent
    index = ir.IndexType.get()
    kind = ir.MemRefType.get([len(values)], index)
    module = at.operation.parent.operation
    taken = sum(o.operation.name == "memref.global" for o in module.regions[0].blocks[0].operations)
    name = f"table_{taken}"
    contents = ir.Attribute.parse(f"dense<{list(values)}> : tensor<{len(values)}xindex>")
    with ir.InsertionPoint(at.operation):
        memref.GlobalOp(name, ir.TypeAttr.get(kind), sym_visibility="private",
                        initial_value=contents, constant=True)  # fmt: skip
    return memref.get_global(kind, name)


def splat(lanes: int, element: ir.Type, value: ir.Attribute) -> ir.Value:
    """Return a vector constant of one repeated value."""
    kind = ir.VectorType.get([lanes], element)
    return arith.constant(kind, ir.DenseElementsAttr.get_splat(kind, value))


def zeros(lanes: int, element: ir.Type) -> ir.Value:
    """Return a vector of zeros."""
    if isinstance(element, ir.FloatType):
        return splat(lanes, element, ir.FloatAttr.get(element, 0.0))
    return splat(lanes, element, ir.IntegerAttr.get(element, 0))


def broadcast(scalar: ir.Value, lanes: int) -> ir.Value:
    """Return a vector of one repeated scalar."""
    return vector.broadcast(ir.VectorType.get([lanes], scalar.type), scalar)


def prefix_mask(lanes: int, high: Index, low: Index = 0) -> ir.Value | None:
    """Return the mask of lanes `low <= lane < high`; None where all lanes are."""
    kind = ir.VectorType.get([lanes], ir.IntegerType.get_signless(1))
    if isinstance(low, int) and isinstance(high, int):
        if low <= 0 and high >= lanes:
            return None
        bits = ", ".join("true" if low <= i < high else "false" for i in range(lanes))
        return arith.constant(kind, ir.Attribute.parse(f"dense<[{bits}]> : {kind}"))
    upper = None if isinstance(high, int) and high >= lanes else _create_mask(kind, high)
    if isinstance(low, int) and low <= 0:
        return upper
    ones = arith.constant(kind, ir.Attribute.parse(f"dense<true> : {kind}"))
    lower = arith.xori(_create_mask(kind, low), ones)
    return lower if upper is None else arith.andi(lower, upper)


def _create_mask(kind: ir.VectorType, high: Index) -> ir.Value:
    return vector.create_mask(kind, [as_value(high)])


def load(buffer: ir.Value, at: Index, lanes: int, mask: ir.Value | None = None,
         otherwise: ir.Value | None = None) -> ir.Value:  # fmt: skip
    """Load a vector; lanes off the mask are `otherwise` (zero when not given)."""
    element = ir.MemRefType(buffer.type).element_type
    kind = ir.VectorType.get([lanes], element)
    if mask is None:
        return vector.load(kind, buffer, [as_value(at)])
    rest = zeros(lanes, element) if otherwise is None else otherwise
    return vector.maskedload(kind, buffer, [as_value(at)], mask, rest)


def store(value: ir.Value, buffer: ir.Value, at: Index, mask: ir.Value | None = None) -> None:
    """Store a vector, or its lanes on the mask."""
    if mask is None:
        vector.store(value, buffer, [as_value(at)])
    else:
        vector.maskedstore(buffer, [as_value(at)], mask, value)


def prefetch(buffer: ir.Value, at: Index) -> None:
    """Ask for the line of the cache with an element; it may lie behind the buffer's end."""
    memref.prefetch(buffer, [as_value(at)], is_write=False, locality_hint=3, is_data_cache=True)


def gather(buffer: ir.Value, at: Index, offsets: Sequence[int], mask: ir.Value | None = None,
           otherwise: ir.Value | None = None) -> ir.Value:  # fmt: skip
    """Load one element per lane from known offsets; off the mask, `otherwise`."""
    lanes = len(offsets)
    element = ir.MemRefType(buffer.type).element_type
    kind = ir.VectorType.get([lanes], element)
    i32 = ir.VectorType.get([lanes], ir.IntegerType.get_signless(32))
    steps = ", ".join(str(o) for o in offsets)
    known = arith.constant(i32, ir.Attribute.parse(f"dense<[{steps}]> : {i32}"))
    if mask is None:
        i1 = ir.VectorType.get([lanes], ir.IntegerType.get_signless(1))
        mask = arith.constant(i1, ir.Attribute.parse(f"dense<true> : {i1}"))
    rest = zeros(lanes, element) if otherwise is None else otherwise
    return vector.gather(kind, buffer, [as_value(at)], known, mask, rest)


def widened(value: ir.Value, element: ir.Type) -> ir.Value:
    """Return a vector of floating-point numbers in a type that holds them all."""
    kind = ir.VectorType(value.type)
    if kind.element_type == element:
        return value
    return arith.extf(ir.VectorType.get(kind.shape, element), value)


def scatter(
    value: ir.Value, buffer: ir.Value, at: Index, offsets: Sequence[int], mask: ir.Value | None
) -> None:
    """Store a vector's lanes, or those on the mask, at known offsets."""
    lanes = len(offsets)
    i32 = ir.VectorType.get([lanes], ir.IntegerType.get_signless(32))
    steps = ", ".join(str(o) for o in offsets)
    known = arith.constant(i32, ir.Attribute.parse(f"dense<[{steps}]> : {i32}"))
    if mask is None:
        i1 = ir.VectorType.get([lanes], ir.IntegerType.get_signless(1))
        mask = arith.constant(i1, ir.Attribute.parse(f"dense<true> : {i1}"))
    vector.scatter(None, buffer, [as_value(at)], known, mask, value)


def shuffle(a: ir.Value, b: ir.Value, lanes: Sequence[int]) -> ir.Value:
    """Pick lanes of two vectors, those of the second counted after the first's."""
    return vector.shuffle(a, b, list(lanes))


def chunks(width: int, lanes: int, emit: Callable[[Index, int], None]) -> None:
    """Emit code for each vector of a row: written out if they are few, else in a loop.

    Args:
        width: of the row.
        lanes: of a vector.
        emit: called with the position of a vector, and how many of its lanes are in the row.
    """
    full, rest = divmod(width, lanes)
    if full <= _UNROLLED_CHUNKS:
        for i in range(full):
            emit(i * lanes, lanes)
    else:
        with loop(0, full * lanes, lanes) as at:
            emit(at, lanes)
    if rest:
        emit(full * lanes, rest)
