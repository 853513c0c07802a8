"""The few first elements of sorted lines, selected instead of sorted (topk, kthvalue, quantiles).

Flows in: a `tm_tensor.sort` whose results are read at the beginning of each line only. Flows out: a
parallel loop over lines; in a line of n, the k first:

    best = sorted(x[0 .. k])                    // by the network of `sorting`
    for b = k to n step BLOCK:
      if any of x[b .. b + BLOCK] comes before best[k - 1]:      // by vectors, without positions
        for i in the block, if x[i] comes before best[k - 1]:
          for j = k - 1 down to 0:              // x[i] takes its place, what follows it moves on
            best[j] = best[j - 1] if x[i] comes before that, else x[i] if it comes before best[j]

A random line has k log(n / k) elements that take a place, so it is read once, about as fast as
memory gives it. In the worst line (each element before all others) it is n k exchanges; so k is at
most a quarter of (log n)^2, where a sort's network needs as many.

Positions that are nothing but numbers of elements are computed, not read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, scf, tensor

from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import clone_at, init_index
from bellrock.dialects.sort_order import comes_first

BLOCK = 128
"""Elements that are compared before it is asked whether one of them is wanted."""
_DYNAMIC = ir.ShapedType.get_dynamic_size()

Values = list[ir.Value]
Network = Callable[[ir.Block, Values, int], Values]
"""Sorts tensors of one dimension: region of the sort, tensors, length."""


def few_of(op: ir.Operation, results: Sequence[ir.Value]) -> int | None:
    """Return how many elements of each line are read; None where it pays to sort them all.

    Args:
        op: a `tm_tensor.sort`.
        results: those that are read.
    """
    axis = ir.IntegerAttr(op.attributes["dimension"]).value
    length = ir.RankedTensorType(op.operands[0].type).shape[axis]
    wanted = 0
    for result in results:
        for use in result.uses:
            reader = use.owner.operation
            if reader.name != "tensor.extract_slice" or len(reader.operands) != 1:
                return None
            offset, size, stride = (
                list(ir.DenseI64ArrayAttr(reader.attributes[f"static_{what}"]))[axis]
                for what in ("offsets", "sizes", "strides")
            )
            wanted = max(wanted, offset + (size - 1) * stride + 1)
    pays = 0 < wanted < length and 4 * wanted <= math.log2(length) ** 2
    return wanted if pays else None


@dataclass(frozen=True, slots=True)
class Lines:
    """A tensor that is read along its last dimension, or positions of elements in it."""

    value: ir.Value
    computed: ir.Block | None
    """Body that makes an element of its place in the tensor before its dimensions were moved."""
    axis: int
    """Of the lines in that tensor."""

    def element(self, line: Values, i: ir.Value) -> ir.Value:
        """Read, or compute, element `i` of a line."""
        if self.computed is None:
            return tensor.ExtractOp(self.value, [*line, i]).result
        place = [*line[: self.axis], i, *line[self.axis :]]
        known: dict[ir.Value, ir.Value] = {}
        for inner in (o.operation for o in self.computed.operations):
            if inner.name == "linalg.yield":
                return known.get(inner.operands[0], inner.operands[0])
            clone_at(inner, place, known)
        raise AssertionError("a body ends in a yield")


def body_of_positions(value: ir.Value) -> ir.Block | None:
    """Return the body of what makes a tensor of nothing but indices; None where it is no such."""
    if isinstance(value.owner, ir.Block) or value.owner.operation.name != "linalg.generic":
        return None
    maker = value.owner.operation
    body = maker.regions[0].blocks[0]
    plain = maps_of(maker)[-1] == ir.AffineMap.get_identity(ir.RankedTensorType(value.type).rank)
    flat = all(len(o.operation.regions) == 0 for o in body.operations)
    unread = not any(True for argument in body.arguments for _ in argument.uses)
    return body if init_index(maker) == 0 and plain and flat and unread else None


def select_lines(
    before: ir.Block, lines: Sequence[Lines], few: int, network: Network
) -> list[ir.Value]:
    """Select the `few` first elements of each line.

    Args:
        before: region of the sort.
        lines: what is sorted along the first, that one included.
        few: elements.
        network: sorts the first elements that are seen.

    Returns:
        tensors of the lines' shapes, but `few` long.
    """
    *outer, length = ir.RankedTensorType(lines[0].value.type).shape
    elements = [ir.RankedTensorType(source.value.type).element_type for source in lines]
    if all(size == 1 for size in outer):
        return _select_one(before, lines, few, network)
    empties = [tensor.EmptyOp([*outer, few], kind).result for kind in elements]
    loop = scf.ForallOp([0] * len(outer), outer, [1] * len(outer), empties)
    line = list(loop.induction_variables)
    places = [*([_DYNAMIC] * len(outer)), 0]
    sizes = [*([1] * len(outer)), few]
    with ir.InsertionPoint(loop.body):
        best = [
            tensor.ExtractSliceOp(
                ir.RankedTensorType.get([few], kind), into, line, [], [], places, sizes,
                [1] * len(sizes),
            ).result
            for kind, into in zip(elements, loop.inner_iter_args, strict=True)
        ]  # fmt: skip
        best = _select(before, lines, line, best, (few, length), network)
        with ir.InsertionPoint(scf.InParallelOp().regions[0].blocks[0]):
            for found, into in zip(best, loop.inner_iter_args, strict=True):
                tensor.ParallelInsertSliceOp(
                    found, into, line, [], [], places, sizes, [1] * len(sizes)
                )
    return list(loop.results)


def _select_one(
    before: ir.Block, lines: Sequence[Lines], few: int, network: Network
) -> list[ir.Value]:
    """Select of a single line: no loop around it, which would be folded into the host."""
    *outer, length = ir.RankedTensorType(lines[0].value.type).shape
    elements = [ir.RankedTensorType(source.value.type).element_type for source in lines]
    best = [tensor.EmptyOp([few], kind).result for kind in elements]
    line = [_index(0)] * len(outer)
    best = _select(before, lines, line, best, (few, length), network)
    if not outer:
        return best
    shape = [*outer, few]
    return [
        tensor.ExpandShapeOp(
            ir.RankedTensorType.get(shape, kind), found, [list(range(len(shape)))], [], shape
        ).result
        for kind, found in zip(elements, best, strict=True)
    ]


def _select(
    before: ir.Block, lines: Sequence[Lines], line: Values, best: Values,
    sizes: tuple[int, int], network: Network,
) -> Values:  # fmt: skip
    """Emit the loops over one line; their names are those of the module's docstring."""
    k, n = sizes
    zero, one, few, end = _index(0), _index(1), _index(k), _index(n)
    first = scf.ForOp(zero, few, one, best)
    with ir.InsertionPoint(first.body):
        i = first.induction_variable
        scf.YieldOp(_put([source.element(line, i) for source in lines], first.inner_iter_args, i))
    best = network(before, list(first.results), k)
    blocks = scf.ForOp(few, end, _index(BLOCK), best)
    with ir.InsertionPoint(blocks.body):
        b, best = blocks.induction_variable, list(blocks.inner_iter_args)
        stop = arith.MinUIOp(arith.AddIOp(b, _index(BLOCK)).result, end).result
        worst = _take(best, _index(k - 1))
        wanted = _any_before(before, lines, line, worst, (b, stop))
        asked = scf.IfOp(wanted, [v.type for v in best], has_else=True)
        with ir.InsertionPoint(asked.then_block):
            scf.YieldOp(_enter_all(before, lines, line, best, (b, stop)))
        with ir.InsertionPoint(asked.else_block):
            scf.YieldOp(best)
        scf.YieldOp(list(asked.results))
    return list(blocks.results)


def _any_before(
    before: ir.Block, lines: Sequence[Lines], line: Values, worst: Values,
    block: tuple[ir.Value, ir.Value],
) -> ir.Value:  # fmt: skip
    """Whether an element of a block comes before the worst that is kept.

    Equal elements come later, as their positions do: so positions are not compared, and the loop is
    one over vectors of the values.
    """
    false = arith.ConstantOp(ir.IntegerType.get_signless(1), 0).result
    loop = scf.ForOp(block[0], block[1], _index(1), [false])
    with ir.InsertionPoint(loop.body):
        x = [lines[0].element(line, loop.induction_variable), *worst[1:]]
        sooner = comes_first(before, x, worst)
        scf.YieldOp([arith.OrIOp(loop.inner_iter_args[0], sooner).result])
    return loop.results[0]


def _enter_all(
    before: ir.Block, lines: Sequence[Lines], line: Values, best: Values,
    block: tuple[ir.Value, ir.Value],
) -> Values:  # fmt: skip
    loop = scf.ForOp(block[0], block[1], _index(1), best)
    with ir.InsertionPoint(loop.body):
        kept = list(loop.inner_iter_args)
        x = [source.element(line, loop.induction_variable) for source in lines]
        few = ir.RankedTensorType(kept[0].type).shape[0]
        sooner = comes_first(before, x, _take(kept, _index(few - 1)))
        entered = scf.IfOp(sooner, [v.type for v in kept], has_else=True)
        with ir.InsertionPoint(entered.then_block):
            scf.YieldOp(_enter(before, x, kept, few))
        with ir.InsertionPoint(entered.else_block):
            scf.YieldOp(kept)
        scf.YieldOp(list(entered.results))
    return list(loop.results)


def _enter(before: ir.Block, x: Values, best: Values, few: int) -> Values:
    """Put an element where it belongs among those that are kept, of which the last goes."""
    zero, one = _index(0), _index(1)
    loop = scf.ForOp(zero, _index(few), one, best)
    with ir.InsertionPoint(loop.body):
        kept = list(loop.inner_iter_args)
        j = arith.SubIOp(_index(few - 1), loop.induction_variable).result
        above = arith.SubIOp(arith.MaxUIOp(j, one).result, one).result
        here, ahead = _take(kept, j), _take(kept, above)
        inside = arith.CmpIOp(arith.CmpIPredicate.ne, j, zero).result
        moves = arith.AndIOp(inside, comes_first(before, x, ahead)).result
        takes = comes_first(before, x, here)
        values = [
            arith.SelectOp(moves, a, arith.SelectOp(takes, new, old).result).result
            for a, new, old in zip(ahead, x, here, strict=True)
        ]
        scf.YieldOp(_put(values, kept, j))
    return list(loop.results)


def _take(tensors: Sequence[ir.Value], i: ir.Value) -> Values:
    return [tensor.ExtractOp(value, [i]).result for value in tensors]


def _put(values: Values, into: Sequence[ir.Value], i: ir.Value) -> Values:
    return [tensor.InsertOp(v, t, [i]).result for v, t in zip(values, into, strict=True)]


def _index(value: int) -> ir.Value:
    return arith.ConstantOp(ir.IndexType.get(), value).result
