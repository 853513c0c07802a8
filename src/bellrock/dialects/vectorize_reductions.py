"""`transform.bellrock.vectorize_reductions`: sums along memory as vectors, with a masked tail.

Missing upstream: `structured.vectorize` unrolls a row to one vector of its size, or masks every
vector of it. LLVM's vectoriser sums the last elements of each row one by one, and adds up the
lanes twice a row: that is most of the work where rows are short. Nothing prefetches beyond the
page that a row ends in, either. Here the length is known, so that the mask of the last
vector is a constant, and rows that follow each other are asked for ahead.

Rewrite (rows of 100 elements, vectors of 16):
    linalg.generic (i, j reduces) -> x(i, j), s(i) { addf } ins(%x : 8x100) outs(%s)
  ->
    scf.for %i = 0 to 8 {
      %a, %b = two sums of vectors, 0 to 96 ...
      %c = vector.maskedload %x[%i, 96], 4 lanes ...
      %t = vector.reduction <add>, %a + %b + %c
      memref.store %t + %s[%i], %s[%i] }

Needs: buffers of known shape and strides, of floats; an innermost loop that is a reduction, whose
operands either run along it with stride 1 or do not depend on it; one associative op, relaxed
by `relax_reductions`, that combines; plain arithmetic and functions that become such in between.
What is reduced may be kept, too (`reduce_as_made`). Anything else stays for LLVM.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, memref, transform, vector

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.grouping import init_index, iterators
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.row_reduction import COMBINERS, RowReduction, row_reduction, runs_along
from bellrock.dialects.vector_code import (
    Index,
    add,
    as_value,
    broadcast,
    carried_loop,
    loop,
    prefix_mask,
    splat,
    zeros,
)

ACCUMULATORS = 4
"""Independent sums: an addition takes as many cycles as it has to wait for the one before."""
AHEAD_BYTES = 4096
"""How far ahead of its use a line is asked for: beyond the page where the processor's own
prefetcher stops. 2 to 4 KiB were equally good, 1 KiB worse."""
BLOCK_BYTES = 1 << 15
"""Up to this size the last of several passes over a block asks for all of the next: beyond, the
first one does for what lies `AHEAD_BYTES` ahead, as it finds too little in the L1 cache."""
DEAR_BLOCK_BYTES = 1 << 18
"""The same for passes that compute a function of each element, which take as long as memory; the
next block needs a place in the L2 cache."""
STREAMED_BYTES = 1 << 20
"""A tensor from this size on comes from beyond the L2 cache."""
_VIEWS = frozenset({
    "memref.subview", "memref.reinterpret_cast", "memref.extract_strided_metadata", "memref.cast",
    "memref.collapse_shape", "memref.expand_shape",
})  # fmt: skip
_DYNAMIC = ir.ShapedType.get_dynamic_size()


@edits_in_place(lambda op, **given: _vectorize_all(op, **given), options=("vector_bits",))
class VectorizeReductionsOp(Bellrock.Operation, name="vectorize_reductions"):
    """Lower the reductions along memory below the handle's ops to vectors."""

    target: ext.Operand[transform.AnyOpType]
    vector_bits: ir.IntegerAttr
    """Of the processor's registers."""


def _vectorize_all(root: ir.Operation, *, vector_bits: int) -> None:
    found = [row_reduction(op, vector_bits) for op in ops_named(root, "linalg.generic")]
    rows = [row for row in found if row is not None]
    asking = _asking(rows)
    for row in rows:
        with ir.InsertionPoint(row.op), row.op.location:
            outer = [loop_sizes(row.op)[d] for d in range(len(iterators(row.op)) - 1)]
            with ExitStack() as loops:
                indices = [loops.enter_context(loop(0, size)) for size in outer]
                _Emitter(row, indices, asking[row.op]).emit()
        row.op.erase()


def _asking(rows: Sequence[RowReduction]) -> dict[ir.Operation, dict[ir.Value, int]]:
    """Return for each op which of its operands it asks for, and how many bytes ahead.

    One of several passes over a block does: one that has time while the next block is fetched.
    A pass that reads several tensors from memory leaves them to the processor, which then has
    streams enough of its own: asking cost a tenth of the squared difference of two tensors.
    """
    readers: dict[tuple[ir.Block, ir.Value], list[tuple[RowReduction, ir.Value]]] = {}
    for row in rows:
        for value, access in zip(row.op.operands, maps_of(row.op), strict=True):
            if runs_along(access) and _is_streamed(value, row.length):
                readers.setdefault((row.op.block, _root(value)), []).append((row, value))
    asking: dict[ir.Operation, dict[ir.Value, int]] = {row.op: {} for row in rows}
    streams = Counter(op for passes in readers.values() for op in {row.op for row, _ in passes})
    for passes in readers.values():
        kind = ir.MemRefType(passes[0][1].type)
        block = math.prod(kind.shape) * ir.FloatType(kind.element_type).width // 8
        dear = [p for p in passes if p[0].calls and block <= DEAR_BLOCK_BYTES]
        late = [*dear[:1], *(passes[1:][-1:] if block <= BLOCK_BYTES else [])]
        row, value = late[0] if late else passes[0]
        if late:
            asking[row.op][value] = max(AHEAD_BYTES, block)
        elif streams[row.op] == 1:
            asking[row.op][value] = AHEAD_BYTES
    return asking


def _root(value: ir.Value) -> ir.Value:
    """Return the buffer that a view is of."""
    while not isinstance(value.owner, ir.Block) and value.owner.operation.name in _VIEWS:
        value = value.owner.operation.operands[0]
    return value


def _is_streamed(value: ir.Value, length: int) -> bool:
    """Whether rows follow each other in a tensor that no cache of a core holds."""
    root = _root(value)
    if not isinstance(root.owner, ir.Block) or not isinstance(root.type, ir.MemRefType):
        return False
    kind, view = ir.MemRefType(root.type), ir.MemRefType(value.type)
    if _DYNAMIC in kind.shape or not isinstance(kind.element_type, ir.FloatType):
        return False
    strides = view.get_strides_and_offset()[0]
    follow = len(strides) == 1 or strides[-2] == length
    return follow and math.prod(kind.shape) * kind.element_type.width // 8 >= STREAMED_BYTES


class _Emitter:
    """Emits one row; the outer loops' indices are known by then."""

    def __init__(
        self, row: RowReduction, indices: Sequence[Index], ahead: Mapping[ir.Value, int]
    ) -> None:
        """Load what is the same all along the row.

        Args:
            row: what is lowered.
            indices: of the outer loops.
            ahead: operands that are asked for ahead, and by how many bytes.
        """
        self._row, self._ahead = row, ahead
        first = init_index(row.op)
        self._combiners = [(n, c) for n, c in enumerate(row.combiners) if c is not None]
        self._kept = [first + n for n, c in enumerate(row.combiners) if c is None]
        self._block = row.op.regions[0].blocks[0]
        self._arguments = list(self._block.arguments)
        self._shared: dict[ir.Value, ir.Value] = {}
        self._places: dict[ir.Value, list[ir.Value]] = {}
        operands = zip(self._arguments, row.op.operands, maps_of(row.op), strict=True)
        for argument, value, access in operands:
            if not isinstance(value.type, ir.MemRefType):
                self._shared[argument] = value
                continue
            dims = [ir.AffineDimExpr(e).position for e in access.results]
            walked = runs_along(access)
            self._places[argument] = [as_value(indices[d]) for d in dims[: len(dims) - walked]]
            if not walked:
                self._shared[argument] = memref.load(value, self._places[argument])

    def emit(self) -> None:
        """Emit the loop over whole groups of vectors, the vectors after it, and the result."""
        lanes, length = self._row.lanes, self._row.length
        chains = min(ACCUMULATORS, length // lanes)
        group, width = chains * lanes, len(self._combiners)

        def body(at: Index, carried: Sequence[ir.Value]) -> list[ir.Value]:
            sums = []
            for n in range(chains):
                given = carried[n * width : (n + 1) * width]
                sums += self._step(add(at, n * lanes), given, lanes)
            return sums

        start = [v for _ in range(chains) for v in self._neutral()]
        sums = list(carried_loop(length // group * group, group, start, body))
        for n, at in enumerate(range(length // group * group, length, lanes)):
            place = slice(n % chains * width, (n % chains + 1) * width)
            sums[place] = self._step(at, sums[place], min(lanes, length - at))
        while len(sums) > width:
            half = (len(sums) // width + 1) // 2 * width
            pairs = zip([c for _, c in self._combiners] * chains, sums, sums[half:], strict=False)
            sums = [*(_combine(c, a, b) for c, a, b in pairs), *sums[len(sums) - half : half]]
        self._store(sums)

    def _neutral(self) -> list[ir.Value]:
        kinds = [(c.results[0].type, COMBINERS[c.name][1]) for _, c in self._combiners]
        return [splat(self._row.lanes, kind, ir.FloatAttr.get(kind, n)) for kind, n in kinds]

    def _step(self, at: Index, sums: Sequence[ir.Value], width: int) -> list[ir.Value]:
        """Combine one vector of the row, or the `width` first lanes of it."""
        lanes, mask = self._row.lanes, prefix_mask(self._row.lanes, width)
        values = dict(self._shared)
        kept = {self._arguments[i] for i in self._kept}
        for argument, operand in zip(self._arguments, self._row.op.operands, strict=True):
            if argument in values or argument in kept:
                continue
            point = [*self._places[argument], as_value(at)]
            values[argument] = _load(operand, point, lanes, mask)
            if operand in self._ahead:
                self._ask(operand, self._places[argument], at)
        combined = list(sums)
        makers = {c: (k, n) for k, (n, c) in enumerate(self._combiners)}
        *body, last = [o.operation for o in self._block.operations]
        for op in body:
            if op not in makers:
                values[op.results[0]] = _clone(op, values, lanes)
                continue
            number, output = makers[op]
            old = self._arguments[init_index(self._row.op) + output]
            (new,) = [values.get(v, v) for v in op.operands if v != old]
            new = _spread(new, lanes)
            if mask is not None:
                new = arith.select(mask, new, self._neutral()[number])
            combined[number] = _combine(op, sums[number], new)
        for i in self._kept:
            value = last.operands[i - init_index(self._row.op)]
            point = [*self._places[self._arguments[i]], as_value(at)]
            _keep(_spread(values.get(value, value), lanes), self._row.op.operands[i], point, mask)
        return combined

    def _ask(self, buffer: ir.Value, place: list[ir.Value], at: Index) -> None:
        width = ir.FloatType(ir.MemRefType(buffer.type).element_type).width // 8
        there = [*place, as_value(add(at, self._ahead[buffer] // width))]
        near = self._ahead[buffer] <= AHEAD_BYTES
        memref.prefetch(
            buffer, there, is_write=False, locality_hint=3 if near else 2, is_data_cache=True
        )

    def _store(self, sums: Sequence[ir.Value]) -> None:
        """Combine the lanes with what the outputs hold."""
        first = init_index(self._row.op)
        for (number, combiner), total in zip(self._combiners, sums, strict=True):
            argument = self._arguments[first + number]
            kind = ir.Attribute.parse(f"#vector.kind<{COMBINERS[combiner.name][0]}>")
            relaxed = combiner.attributes["fastmath"]
            scalar = vector.reduction(argument.type, kind, total, fastmath=relaxed)
            result = _combine(combiner, self._shared[argument], scalar)
            memref.store(result, self._row.op.operands[first + number], self._places[argument])


def _load(buffer: ir.Value, at: list[ir.Value], lanes: int, mask: ir.Value | None) -> ir.Value:
    kind = ir.VectorType.get([lanes], ir.MemRefType(buffer.type).element_type)
    if mask is None:
        return vector.load(kind, buffer, at)
    return vector.maskedload(kind, buffer, at, mask, zeros(lanes, kind.element_type))


def _keep(value: ir.Value, buffer: ir.Value, at: list[ir.Value], mask: ir.Value | None) -> None:
    if mask is None:
        vector.store(value, buffer, at)
    else:
        vector.maskedstore(buffer, at, mask, value)


def _combine(combiner: ir.Operation, a: ir.Value, b: ir.Value) -> ir.Value:
    attributes = {name: combiner.attributes[name] for name in combiner.attributes}
    return ir.Operation.create(combiner.name, [a.type], [a, b], attributes).result


def _clone(op: ir.Operation, values: dict[ir.Value, ir.Value], lanes: int) -> ir.Value:
    """Return an op's result on vectors, or on scalars where all that it reads is scalar."""
    operands = [values.get(v, v) for v in op.operands]
    kind = op.results[0].type
    if any(isinstance(v.type, ir.VectorType) for v in operands):
        operands = [_spread(v, lanes) for v in operands]
        kind = ir.VectorType.get([lanes], kind)
    attributes = {name: op.attributes[name] for name in op.attributes}
    return ir.Operation.create(op.name, [kind], operands, attributes).result


def _spread(value: ir.Value, lanes: int) -> ir.Value:
    return value if isinstance(value.type, ir.VectorType) else broadcast(value, lanes)


OPS = (VectorizeReductionsOp,)
