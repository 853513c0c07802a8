"""`transform.bellrock.transform_filters`: what Winograd's algorithm needs of a filter, as an op.

Missing upstream: `winograd_conv2d` transforms named ops on channels-last images; and the filter's
part has to be an op of its own before kernels are outlined, so that it is prepared once per set
of weights (docs/design/0008).

Rewrite (of a convolution whose choice is `winograd`):
    %r = linalg.generic (n, f, h, w, c, i, j) ins(%x, %w) { %o + %x * %w }
  ->
    %t = linalg.generic (c, i, j, f) ins(%w) { %w }  // so that vectors run along channels
    %u = linalg.generic (a, b, p, c, q) ins(%t, ..) { G t G^T }  // f = panel p, channel q of it
    %r = linalg.generic (n, f, h, w, c, i, j) ins(%x, %w, %u) { %o + %x * %w }

Transformed filters take memory beside the filters: what goes beyond a share of the function's is
left to the direct way, in blocks of the same sizes.

The convolution still says what it computes: its body does not use `%u`, which only its lowering
reads (`winograd.py`).
"""

# No postponed annotations here: the dialect reads the field types from them.
import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.convolution.minimal_filtering import ALGORITHMS, TAPS, TWO, MinimalFiltering
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.given_choice import CHOICE, choice_of
from bellrock.dialects.live_bytes import tensor_bytes
from bellrock.dialects.prepared_room import Room, add_unused_input
from bellrock.dialects.revised_choices import by_signature, revise
from bellrock.payload.motifs.access import Access, is_projection, loops_in
from bellrock.payload.motifs.contraction import read_product_sum
from bellrock.payload.motifs.structured import Structured, read_structured

KNOBS = "winograd"
DIRECT = "direct-convolution"
ELEMENT_BYTES = 4
TURNED_CHANNELS = 8
"""Of a block whose output channels are laid along memory: lines of 72 elements of 3 x 3 taps."""


@edits_in_place(lambda op, **given: _transform_all(op, **given), options=("percent",))
class TransformFiltersOp(Bellrock.Operation, name="transform_filters"):
    """Make the transformed filters of the convolutions below the handle."""

    target: ext.Operand[transform.AnyOpType]
    percent: ir.IntegerAttr
    """Of the function's memory that copies of weights may take beside it."""


def _transform_all(root: ir.Operation, *, percent: int) -> None:
    for function in ops_named(root, "func.func"):
        _transform_in(function, percent)


def _transform_in(function: ir.Operation, percent: int) -> None:
    """Transform the filters that the budget has room for, those of the most pixels first."""
    found: dict[ir.Operation, Filters] = {}
    for op in ops_named(function, "linalg.generic"):
        if choice_of(op, KNOBS) is None:
            continue
        structured = read_structured(op)
        filters = None if structured is None else read_filters(structured)
        if filters is not None:
            found[op] = filters
    room = Room.of(function, percent) if found else None
    groups = by_signature(list(found))
    for ops in sorted(groups, key=lambda each: -tensor_bytes(each[0].results[0])):
        choice = ir.DictAttr(ops[0].attributes[CHOICE])
        algorithm = _algorithm(choice)
        size = sum(found[op].transformed_bytes(algorithm) for op in ops)
        if room is None or not room.take(size):
            revise(function, ops, _direct(choice, ops[0]))
            continue
        panel = ir.IntegerAttr(choice["channels"]).value
        for op in ops:
            with ir.InsertionPoint(op), op.location:
                add_unused_input(op, _transformed(found[op], panel, algorithm, choice["by"]))


def _algorithm(choice: ir.DictAttr) -> MinimalFiltering:
    """Return the algorithm of a choice; one that names no tile is of before there were others."""
    return ALGORITHMS[ir.IntegerAttr(choice["tile"]).value] if "tile" in choice else TWO


def _direct(choice: ir.DictAttr, op: ir.Operation) -> ir.DictAttr:
    """Return the same blocks for the direct way, which takes less of the stack for them.

    Those of larger tiles than 2 x 2 are cut to as many rows as tiles of that size would have.
    """
    numbers = {name: ir.IntegerAttr(choice[name]).value for name in ("rows", "columns")}
    outputs = _algorithm(choice).outputs
    if outputs > TWO.outputs:
        height = ir.RankedTensorType(op.results[0].type).shape[-2]
        numbers["rows"] = numbers["rows"] or -(-height // outputs)
        numbers["columns"] *= outputs // TWO.outputs
    i64 = ir.IntegerType.get_signless(64, choice.context)
    kept = {name: choice[name] for name in
            ("by", "channels", "vectors", "lanes", "channel_block", "parallel")}  # fmt: skip
    scaled = {name: ir.IntegerAttr.get(i64, TWO.outputs * n) for name, n in numbers.items()}
    knobs = {"knobs": ir.StringAttr.get(DIRECT, choice.context)}
    return ir.DictAttr.get(kept | scaled | knobs, choice.context)


@dataclass(frozen=True, slots=True)
class Filters:
    """The filter of a convolution, and what its dimensions are."""

    value: ir.Value
    access: Access
    out_channel: int
    """Loop."""
    reduced: tuple[int, ...]
    """Loops: the input channel, then what is before the last two axes of the filter."""
    row: int
    column: int
    sizes: tuple[int, ...]
    """By loop."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the filter."""
        return tuple(ir.RankedTensorType(self.value.type).shape)

    def transformed_bytes(self, algorithm: MinimalFiltering) -> int:
        """Return what its transformed form takes."""
        return math.prod(self.shape) * algorithm.products // TAPS**2 * ELEMENT_BYTES


def read_filters(op: Structured) -> Filters | None:
    """Return the filter of a convolution; its roles are in `payload/motifs/convolution`."""
    product_sum = read_product_sum(op)
    if product_sum is None:
        return None
    sides = [min(product_sum.left), min(product_sum.right)]
    images = [i for i in sides if not is_projection(op.accesses[i])]
    if len(images) != 1:
        return None
    (number,) = (i for i in sides if i not in images)
    output = op.output_loops
    windows = [e.terms for e in op.accesses[images[0]] if len(e.terms) > 1]
    kernels = [loop for terms in windows for loop, _ in terms if loop not in output]
    access = op.accesses[number]
    known = loops_in(access)
    outer = [i for i in known if i in output and i not in loops_in(op.accesses[images[0]])]
    inner = sorted(i for i in known if i not in output and i not in kernels)
    if len(kernels) < 2 or len(outer) != 1 or any(op.loops[k] != TAPS for k in kernels[-2:]):
        return None
    return Filters(op.values[number], access, outer[0], (*inner, *kernels[:-2]),
                    kernels[-2], kernels[-1], op.loops)  # fmt: skip


def _transformed(
    filters: Filters, panel: int, algorithm: MinimalFiltering, by: ir.Attribute
) -> ir.Value:
    """Emit G w G^T, by products, panels of output channels, reduced loops, channel of a panel."""
    element = ir.F32Type.get()
    products, count = algorithm.inputs, filters.sizes[filters.out_channel]
    reduced = [filters.sizes[i] for i in filters.reduced]
    shape = [products, products, count // panel, *reduced, panel]
    rank = len(shape)
    dims = [ir.AffineExpr.get_dim(i) for i in range(rank)]
    filters = _channels_last(filters, by)
    place = {loop: dims[3 + i] for i, loop in enumerate(filters.reduced)}
    place[filters.out_channel] = dims[2] * panel + dims[-1]
    taps = list(itertools.product(range(TAPS), repeat=2))
    maps = []
    for row, column in taps:
        at = place | {filters.row: ir.AffineExpr.get_constant(row),
                      filters.column: ir.AffineExpr.get_constant(column)}  # fmt: skip
        results = [at[e.loop] if e.loop is not None else ir.AffineExpr.get_constant(e.constant)
                   for e in filters.access]  # fmt: skip
        maps.append(ir.AffineMap.get(rank, 0, results))
    for row, column in taps:
        fixed = [ir.AffineExpr.get_constant(i) for i in (row, column)]
        maps.append(ir.AffineMap.get(rank, 0, [*dims[:2], *fixed]))
    maps.append(ir.AffineMap.get_identity(rank))
    empty = tensor.EmptyOp(shape, element).result
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    inputs = [filters.value] * len(taps) + [_factors(algorithm)] * len(taps)
    made = linalg.GenericOp(
        [empty.type], inputs, [empty], ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        ir.ArrayAttr.get([parallel] * rank),
    )  # fmt: skip
    types = [v.type.element_type for v in (*inputs, empty)]
    body = made.regions[0].blocks.append(*types)
    with ir.InsertionPoint(body):
        weights, factors = body.arguments[: len(taps)], body.arguments[len(taps) : -1]
        terms = [arith.mulf(w, f) for w, f in zip(weights, factors, strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = arith.addf(total, term)
        linalg.YieldOp([total])
    made.operation.attributes[CHOICE] = _in_blocks(by, [0, 0, 1, *[0] * (rank - 3)])
    return made.results[0]


def _channels_last(filters: Filters, by: ir.Attribute) -> Filters:
    """Emit a copy whose output channels lie along memory, which the transform runs along."""
    along = next(d for d, e in enumerate(filters.access) if e.loop == filters.out_channel)
    order = [d for d in range(len(filters.access)) if d != along] + [along]
    if order == sorted(order):
        return filters
    kind = ir.RankedTensorType(filters.value.type)
    empty = tensor.EmptyOp([kind.shape[d] for d in order], kind.element_type).result
    count = len(order)
    dims = [ir.AffineExpr.get_dim(order.index(d)) for d in range(count)]
    maps = [ir.AffineMap.get(count, 0, dims), ir.AffineMap.get_identity(count)]
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    copy = linalg.GenericOp(
        [empty.type], [filters.value], [empty],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        ir.ArrayAttr.get([parallel] * count),
    )  # fmt: skip
    body = copy.regions[0].blocks.append(kind.element_type, kind.element_type)
    with ir.InsertionPoint(body):
        linalg.YieldOp([body.arguments[0]])
    copy.operation.attributes[CHOICE] = _in_blocks(by, [TURNED_CHANNELS, *[0] * (count - 1)])
    access = tuple(filters.access[d] for d in order)
    return dataclasses.replace(filters, value=copy.results[0], access=access)


def _in_blocks(by: ir.Attribute, tile: Sequence[int]) -> ir.DictAttr:
    return ir.DictAttr.get({"by": by, "knobs": ir.StringAttr.get("blocks"),
                            "tile": ir.DenseI64ArrayAttr.get(tile)})  # fmt: skip


def _factors(algorithm: MinimalFiltering) -> ir.Value:
    """Return the product of the two factors of each tap, for each product."""
    rows = algorithm.filter
    size = algorithm.inputs
    values = [rows[i][a] * rows[j][b]
              for i, j, a, b in itertools.product(range(size), range(size),
                                                  range(TAPS), range(TAPS))]  # fmt: skip
    element = ir.F32Type.get()
    kind = ir.RankedTensorType.get([size, size, TAPS, TAPS], element)
    numbers = [ir.FloatAttr.get(element, v) for v in values]
    return arith.constant(kind, ir.DenseElementsAttr.get(numbers, kind))


OPS = (TransformFiltersOp,)
