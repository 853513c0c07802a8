"""`transform.bellrock.offer_packing`, `pack_weights`: a weight as panels, once per set of weights.

Missing upstream: `linalg.pack` pads through a tensor as large as the weight, and what reads it has
another result, so that nothing fuses. Here the panels are an op of their own, before kernels
are outlined, so that `hoist-preparation` computes them once (docs/design/0008).

`offer_packing` says which operands of contractions depend on fixed arguments only and have a
place in a share of the function's memory, those of loops and few rows first: `bellrock.packable`,
which selection reads (docs/design/0010). `pack_weights` follows the choice, for panels of 32:

    %r = linalg.generic (m, n, k) ins(%x, %w) {bellrock.choice = {prepared = true, ...}}
  ->
    %p = linalg.generic (panel, k, column) outs(: ceil(n/32) x k x 32) { %w[32 panel + column, k] }
    %r = linalg.generic (m, n, k) ins(%x, %w, %p) maps [..., (n floordiv 32, 0, 0), ...]

The contraction's body does not use `%p`, which only its lowering reads (`registers.py`). Columns
past the end repeat the last one. Where pairs are multiplied, the two elements of a pair lie side by
side, and that behind an odd k is zero. A weight that several contractions read in the same
panels is packed once for all.
"""

# No postponed annotations here: the dialect reads the field types from them.
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith, ext, linalg, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.given_choice import CHOICE, choice_of
from bellrock.dialects.grouping import VIEWS
from bellrock.dialects.live_bytes import tensor_bytes
from bellrock.dialects.preparation import fixed_arguments
from bellrock.dialects.prepared_room import Room, add_unused_input
from bellrock.payload.motif import Motif, MotifKind, find_motif
from bellrock.payload.motifs.contraction import PACKABLE

KNOBS = "panels"
_MADE_OF_NOTHING = {"tensor.empty", "arith.constant"}
_DEEPEST = 8
"""Ops between a fixed argument and the operand, at most."""
_UNITS = 64
"""Units of k of a panel that are packed at a time."""


@edits_in_place(lambda op, **given: _offer_all(op, **given), options=("percent",))
class OfferPackingOp(Bellrock.Operation, name="offer_packing"):
    """Mark the operands that may be packed (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]
    percent: ir.IntegerAttr
    """Of the function's memory that packed weights may take beside it."""


@edits_in_place(lambda op: _pack_all(op))
class PackWeightsOp(Bellrock.Operation, name="pack_weights"):
    """Pack what choices say (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]


def _offer_all(root: ir.Operation, *, percent: int) -> None:
    for function in ops_named(root, "func.func"):
        _offer_in(function, percent)


@dataclass(frozen=True, slots=True)
class _Candidate:
    op: ir.Operation
    operand: int
    value: ir.Value
    order: tuple[bool, int]
    """Whether it stands outside of loops, and its rows."""


def _offer_in(function: ir.Operation, percent: int) -> None:
    """Mark what the budget has room for, that of loops and of the fewest rows first."""
    arguments = function.regions[0].blocks[0].arguments
    fixed = {arguments[i] for i in fixed_arguments(function)}
    found = _candidates(function, fixed) if fixed else []
    room = Room.of(function, percent).left_bytes if found else 0
    counted: set[ir.Value] = set()
    for each in sorted(found, key=lambda c: c.order):
        size = 0 if each.value in counted else tensor_bytes(each.value)
        if size > room:
            continue
        room -= size
        counted.add(each.value)
        marked = {each.operand}
        if PACKABLE in each.op.attributes:
            marked |= set(ir.DenseI64ArrayAttr(each.op.attributes[PACKABLE]))
        each.op.attributes[PACKABLE] = ir.DenseI64ArrayAttr.get(sorted(marked), function.context)


def _candidates(function: ir.Operation, fixed: set[ir.Value]) -> list[_Candidate]:
    found: list[_Candidate] = []
    for op in ops_named(function, "linalg.generic"):
        values = [i for i in range(2) if i < len(op.operands) and _is_fixed(op.operands[i], fixed)]
        motif = find_motif(op) if values else None
        if motif is None or motif.kind is not MotifKind.CONTRACTION or not motif.plain:
            continue
        for i in values:
            role, other = ("m", "n") if i == 0 else ("n", "m")
            if len(motif.inputs) == 2 and dimensions(motif, i, role) is not None:
                top = op.parent == function
                order = (top, motif.dims[other])
                found.append(_Candidate(op, i, op.operands[i], order))
    return found


def _is_fixed(value: ir.Value, fixed: set[ir.Value], depth: int = 0) -> bool:
    """Whether a value is made of fixed arguments by what kernels of their own compute."""
    if isinstance(value.owner, ir.Block):
        return value in fixed
    op = value.owner.operation
    if op.name in _MADE_OF_NOTHING:
        return depth > 0
    known = op.name in VIEWS or op.name in ("linalg.generic", "linalg.fill")
    if op.name == "tensor.extract_slice":
        known = len(op.operands) == 1  # at a place that does not change
    if not known or depth == _DEEPEST or not len(op.operands):
        return False
    return all(_is_fixed(operand, fixed, depth + 1) for operand in op.operands)


def dimensions(motif: Motif, operand: int, role: str) -> tuple[int, int] | None:
    """Return which dimensions of an operand are its columns and k, if it is a matrix of these."""
    letters = {"m": "m", "n": "n"}[role]
    layout = motif.inputs[operand].layout
    several = any(len(motif.loops_of(r)) != 1 for r in (role, "k"))
    if several or sorted(layout) != sorted((letters, "k")) or -1 in motif.inputs[operand].shape:
        return None
    return layout.index(letters), layout.index("k")


def _pack_all(root: ir.Operation) -> None:
    for function in ops_named(root, "func.func"):
        _pack_in(function)


@dataclass(frozen=True, slots=True)
class _Panels:
    """How a weight is packed; equal ones are one."""

    value: ir.Value
    column: int
    """Dimension of the weight."""
    width: int
    """Columns of a panel."""
    pair: int
    """Elements of k that lie side by side."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Columns, and k."""
        shape = list(ir.RankedTensorType(self.value.type).shape)
        return shape[self.column], shape[1 - self.column]

    def type(self) -> ir.RankedTensorType:
        """Return the type of the panels."""
        columns, depth = self.sizes
        element = ir.RankedTensorType(self.value.type).element_type
        shape = [-(-columns // self.width), -(-depth // self.pair), self.width * self.pair]
        return ir.RankedTensorType.get(shape, element)


def _pack_in(function: ir.Operation) -> None:
    made: dict[_Panels, ir.Value] = {}
    for op in ops_named(function, "linalg.generic"):
        choice = choice_of(op)
        if PACKABLE not in op.attributes or choice is None or "prepared" not in choice:
            continue
        offered = list(ir.DenseI64ArrayAttr(op.attributes[PACKABLE]))
        motif = find_motif(op)
        operand, role = (0, "m") if ir.StringAttr(choice["vector"]).value == "m" else (1, "n")
        del op.attributes[PACKABLE]
        if not ir.BoolAttr(choice["prepared"]).value or operand not in offered or motif is None:
            continue
        found = dimensions(motif, operand, role)
        if found is None:
            continue
        width = ir.IntegerAttr(choice["columns"]).value * ir.IntegerAttr(choice["lanes"]).value
        pair = 2 if ir.BoolAttr(choice["pairs"]).value else 1
        panels = _Panels(op.operands[operand], found[0], width, pair)
        if panels not in made:
            made[panels] = _packed(panels, function, choice["by"])
            Room.of(function, 0).charge(tensor_bytes(made[panels]))
        loop = ir.AffineExpr.get_dim(motif.loops_of(role)[0], op.context)
        zero = ir.AffineExpr.get_constant(0, op.context)
        results = [ir.AffineExpr.get_floor_div(loop, width), zero, zero]
        count = maps_of(op)[0].n_dims
        access = ir.AffineMap.get(count, 0, results, op.context)
        with ir.InsertionPoint(op), op.location:
            add_unused_input(op, made[panels], access)


def _packed(panels: _Panels, function: ir.Operation, by: ir.Attribute) -> ir.Value:
    """Emit the op that packs a weight, behind what makes it."""
    owner = panels.value.owner
    block = function.regions[0].blocks[0]
    if isinstance(owner, ir.Block):
        place = ir.InsertionPoint.at_block_begin(block)
    else:
        place = ir.InsertionPoint.after(owner.operation)
    with place, function.location:
        kind = panels.type()
        empty = tensor.EmptyOp(list(kind.shape), kind.element_type).result
        identity = ir.AffineMapAttr.get(ir.AffineMap.get_identity(3))
        parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
        made = linalg.GenericOp(
            [kind], [], [empty], ir.ArrayAttr.get([identity]), ir.ArrayAttr.get([parallel] * 3)
        )
        with ir.InsertionPoint(made.regions[0].blocks.append(kind.element_type)):
            linalg.YieldOp([_element(panels)])
    # The weight is read along its lines, a few units of each, so that a block stays in L1.
    order = [0, 2, 1] if panels.column == 0 else [0, 1, 2]
    made.operation.attributes[CHOICE] = ir.DictAttr.get(
        {"by": by, "knobs": ir.StringAttr.get("blocks"),
         "tile": ir.DenseI64ArrayAttr.get([1, min(_UNITS, kind.shape[1]), 0]),
         "order": ir.DenseI64ArrayAttr.get(order)},
        function.context,
    )  # fmt: skip
    return made.results[0]


def _element(panels: _Panels) -> ir.Value:
    """Return the element of the weight that belongs where the body is."""
    columns, depth = panels.sizes
    panel, unit, lane = (linalg.IndexOp(ir.IntegerAttr.get(_i64(), i)).result for i in range(3))
    inside = _quotient(lane, panels.pair)
    column = arith.addi(arith.muli(panel, _index(panels.width)), inside)
    if columns % panels.width:
        column = arith.minsi(column, _index(columns - 1))
    k = unit
    if panels.pair > 1:
        k = arith.addi(arith.muli(unit, _index(panels.pair)), arith.remui(lane, _index(2)))
    place = k
    if depth % panels.pair:
        place = arith.minsi(k, _index(depth - 1))
    at = [column, place] if panels.column == 0 else [place, column]
    element = tensor.extract(panels.value, at)
    if depth % panels.pair:
        there = arith.cmpi(arith.CmpIPredicate.ult, k, _index(depth))
        element = arith.select(there, element, arith.constant(element.type, 0.0))
    return element


def _quotient(index: ir.Value, by: int) -> ir.Value:
    return index if by == 1 else arith.divui(index, _index(by))


def _index(number: int) -> ir.Value:
    return arith.constant(ir.IndexType.get(), number)


def _i64() -> ir.Type:
    return ir.IntegerType.get_signless(64)


OPS = (OfferPackingOp, PackWeightsOp)
"""Transform ops of this file."""
