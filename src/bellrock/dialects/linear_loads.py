"""`transform.bellrock.linear_loads`: what a body loads at linear positions becomes an operand.

Missing upstream: a tensor that is read backwards, along a diagonal or at every other place by
`tensor.extract` has no linalg map, as tiling could not cut it. On buffers, where nothing is cut
any more, it is a view with steps of its own (negative ones, too); as an operand it takes part in
what is done for operands: loops are ordered and merged along memory, blocks transposed.

Rewrite:
    linalg.generic (d0, d1) outs(%y) { %e = memref.load %x[%d1, 3 - %d0] }
  ->
    %v = memref.reinterpret_cast %x to offset: [3], sizes: [4, 8], strides: [-1, 4]
    linalg.generic (d0, d1) -> v(d0, d1), y(d0, d1) ins(%v) outs(%y)

Needs: buffers of known steps; positions that are sums of multiples of loops and of what is known
around the op; that the op does not write what it loads, which arguments of kernels never share.
"""

# No postponed annotations here: the dialect reads the field types from them.
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, memref, transform

from bellrock.dialects.chunks import Offset, constant
from bellrock.dialects.extension import Bellrock, each_op, edits_in_place
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.generic_ops import add_input, init_index
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.positions_ahead import root_of

_DYNAMIC = ir.ShapedType.get_dynamic_stride_or_offset()


@edits_in_place(lambda op: each_op(op, "linalg.generic", _rewrite))
class LinearLoadsOp(Bellrock.Operation, name="linear_loads"):
    """Make operands of linear loads in the generics below the handle's ops."""

    target: ext.Operand[transform.AnyOpType]


@dataclass(frozen=True, slots=True)
class Position:
    """A sum: of multiples of loops, of values from around the op, and a number."""

    constant: int = 0
    loops: Mapping[int, int] = field(default_factory=dict)
    around: Mapping[ir.Value, int] = field(default_factory=dict)

    def plus(self, other: "Position", factor: int = 1) -> "Position":
        """Return the sum with a multiple of another."""
        loops, around = dict(self.loops), dict(self.around)
        for loop, times in other.loops.items():
            loops[loop] = loops.get(loop, 0) + factor * times
        for value, times in other.around.items():
            around[value] = around.get(value, 0) + factor * times
        return Position(self.constant + factor * other.constant, loops, around)

    def times(self, factor: int) -> "Position":
        """Return a multiple."""
        return Position().plus(self, factor)

    @property
    def number(self) -> int | None:
        """What it is, if nothing varies."""
        varies = any(self.loops.values()) or any(self.around.values())
        return None if varies else self.constant


def position_of(value: ir.Value, body: ir.Block) -> Position | None:
    """Return how an index in a generic's body is computed; None where it is not linear."""
    owner = value.owner
    op = None if isinstance(owner, ir.Block) else owner.operation
    if op is not None and op.name == "arith.constant":
        return Position(ir.IntegerAttr(op.attributes["value"]).value)
    if op is None or op.block != body:
        inside = op is None and owner == body
        return None if inside else Position(around={value: 1})
    if op.name == "linalg.index":
        return Position(loops={ir.IntegerAttr(op.attributes["dim"]).value: 1})
    if op.name not in _LINEAR:
        return None
    known = [position_of(v, body) for v in op.operands]
    parts = [p for p in known if p is not None]
    return _LINEAR[op.name](op, parts) if len(parts) == len(known) else None


def _product(op: ir.Operation, parts: Sequence[Position]) -> Position | None:
    del op
    left, right = parts
    if right.number is not None:
        return left.times(right.number)
    return None if left.number is None else right.times(left.number)


def _applied(op: ir.Operation, parts: Sequence[Position]) -> Position | None:
    (expr,) = ir.AffineMapAttr(op.attributes["map"]).value.results
    return _evaluated(expr, ir.AffineMapAttr(op.attributes["map"]).value.n_dims, parts)


def _evaluated(expr: ir.AffineExpr, dims: int, parts: Sequence[Position]) -> Position | None:
    """Return an affine expression of positions: of its dimensions, then of its symbols."""
    if isinstance(expr, ir.AffineConstantExpr):
        return Position(expr.value)
    if isinstance(expr, ir.AffineDimExpr):
        return parts[expr.position]
    if isinstance(expr, ir.AffineSymbolExpr):
        return parts[dims + expr.position]
    if not isinstance(expr, ir.AffineAddExpr | ir.AffineMulExpr):
        return None
    left, right = _evaluated(expr.lhs, dims, parts), _evaluated(expr.rhs, dims, parts)
    if left is None or right is None:
        return None
    if isinstance(expr, ir.AffineAddExpr):
        return left.plus(right)
    return None if right.number is None else left.times(right.number)


_LINEAR: dict[str, Callable[[ir.Operation, Sequence[Position]], Position | None]] = {
    "arith.index_cast": lambda _, parts: parts[0],
    "arith.addi": lambda _, parts: parts[0].plus(parts[1]),
    "arith.subi": lambda _, parts: parts[0].plus(parts[1], -1),
    "arith.muli": _product,
    "affine.apply": _applied,
}


def _rewrite(op: ir.Operation) -> None:
    """Make operands of one op's loads, one after the other."""
    if len(op.results) or not all(isinstance(v.type, ir.MemRefType) for v in op.operands):
        return
    number = 0
    while (load := _nth_load(op, number)) is not None:
        address = _address(load, op)
        if address is None:
            number += 1
            continue
        view, access = _view(load.operands[0], address, op)
        place = list(op.regions[0].blocks[0].operations).index(load)
        op = add_input(op, view, access)
        body = op.regions[0].blocks[0]
        load = list(body.operations)[place].operation
        load.results[0].replace_all_uses_with(body.arguments[init_index(op) - 1])
        load.erase()
    for inner in reversed([o.operation for o in op.regions[0].blocks[0].operations]):
        unused = not any(list(r.uses) for r in inner.results)
        if unused and (inner.name == "linalg.index" or inner.name in _LINEAR):
            inner.erase()


def _nth_load(op: ir.Operation, number: int) -> ir.Operation | None:
    ops = [o.operation for o in op.regions[0].blocks[0].operations]
    loads = [o for o in ops if o.name == "memref.load"]
    return loads[number] if number < len(loads) else None


def _address(load: ir.Operation, op: ir.Operation) -> Position | None:
    """Return where a load reads, in elements from where its buffer starts."""
    source = load.operands[0]
    written = {root_of(v) for v in list(op.operands)[init_index(op) :]}
    strides, _ = ir.MemRefType(source.type).get_strides_and_offset()
    if _DYNAMIC in strides or root_of(source) in written or _is_inside(source, op):
        return None
    total = Position()
    for index, stride in zip(list(load.operands)[1:], strides, strict=True):
        position = position_of(index, op.regions[0].blocks[0])
        if position is None:
            return None
        total = total.plus(position, stride)
    sizes = _sizes(op)
    return total if all(loop in sizes for loop, step in total.loops.items() if step) else None


def _is_inside(value: ir.Value, op: ir.Operation) -> bool:
    body = op.regions[0].blocks[0]
    owner = value.owner
    return owner == body if isinstance(owner, ir.Block) else owner.operation.block == body


def _sizes(op: ir.Operation) -> dict[int, int | tuple[int, int]]:
    """Return loop -> its size, or the operand and dimension that have it."""
    found: dict[int, int | tuple[int, int]] = dict(loop_sizes(op))
    for number, access in enumerate(maps_of(op)):
        for d, expr in enumerate(access.results):
            if isinstance(expr, ir.AffineDimExpr):
                found.setdefault(expr.position, (number, d))
    return found


def _view(source: ir.Value, address: Position, op: ir.Operation) -> tuple[ir.Value, ir.AffineMap]:
    """Return a buffer as the loops of an op see it, and its map."""
    steps = {loop: step for loop, step in sorted(address.loops.items()) if step}
    shape, unknown = [], []
    for loop in steps:
        size = _sizes(op)[loop]
        if not isinstance(size, int):
            unknown.append(memref.DimOp(op.operands[size[0]], constant(size[1])).result)
        shape.append(size if isinstance(size, int) else ir.ShapedType.get_dynamic_size())
    kind = ir.MemRefType(source.type)
    parts = memref.ExtractStridedMetadataOp(source)
    _, begin = kind.get_strides_and_offset()
    offset: Offset = begin if begin != _DYNAMIC else parts.results[1]
    offset = _sum(offset, address.constant)
    for value, times in address.around.items():
        if times:
            offset = _sum(offset, arith.muli(value, constant(times)))
    static = offset if isinstance(offset, int) else _DYNAMIC
    layout = ir.StridedLayoutAttr.get(static, list(steps.values()))
    result = ir.MemRefType.get(shape, kind.element_type, layout, kind.memory_space)
    moving = [] if isinstance(offset, int) else [offset]
    view = memref.ReinterpretCastOp(
        result, parts.results[0], moving, unknown, [], [static], shape, list(steps.values())
    ).result
    loops = [ir.AffineExpr.get_dim(loop) for loop in steps]
    return view, ir.AffineMap.get(maps_of(op)[0].n_dims, 0, loops)


def _sum(a: Offset, b: Offset) -> Offset:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    one, other = (constant(v) if isinstance(v, int) else v for v in (a, b))
    return one if b == 0 else arith.addi(one, other)


OPS = (LinearLoadsOp,)
