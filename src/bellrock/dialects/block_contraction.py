"""`transform.bellrock.block_contraction`: contractions on buffers become register tiles.

Missing upstream: packing into panels that a loop over the depth refills, a register tile whose
border needs no second kernel, and tile sizes read off the op (docs/design/0010).

Rewrite:
    linalg.generic (contraction) ins(%a, %b) outs(%c) {bellrock.choice = {knobs = "panels", ...}}
  ->
    scf.for %k ... { pack %b; scf.for %row ... { copy %a; scf.for %column ... {
      accumulators in registers: scf.for %unit ... { vector.fma }; vector.store into %c } } }

An elementwise op of a few instructions that alone reads the result is computed on a tile's sums
after the last part of k.

Needs: buffers; a body that only casts, multiplies and adds; an accumulator of the result's type.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math
from collections.abc import Callable

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.contraction.block import Shape
from bellrock.dialects.contraction.dots import emit_dots
from bellrock.dialects.contraction.epilogue import Epilogue, find_epilogue, takes_epilogue
from bellrock.dialects.contraction.loops import Size, each
from bellrock.dialects.contraction.plan import OUT, RIGHT, Plan, contiguous, read_plan
from bellrock.dialects.contraction.product import Product
from bellrock.dialects.contraction.registers import emit_tiles
from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named
from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.outlining import CHOICE

KNOBS = "panels"
"""Name of the space of choices that this op reads."""


@edits_in_place(lambda op: _lower_all(op))
class BlockContractionOp(Bellrock.Operation, name="block_contraction"):
    """Lower the contractions below the handle that carry a choice of `panels`."""

    target: ext.Operand[transform.AnyOpType]


def _lower_all(root: ir.Operation) -> None:
    # All are found first: lowering one erases what follows it, too, which nobody may look at then.
    found = [op for op in ops_named(root, "linalg.generic") if _is_chosen(op)]
    for op in found:
        _lower_one(op, ir.DictAttr(op.attributes[CHOICE]))


def _is_chosen(op: ir.Operation) -> bool:
    if CHOICE not in op.attributes:
        return False
    return ir.StringAttr(ir.DictAttr(op.attributes[CHOICE])["knobs"]).value == KNOBS


def _lower_one(op: ir.Operation, choice: ir.DictAttr) -> None:
    """Lower a contraction, with what follows it where that may be done tile by tile."""
    epilogue = None if ir.StringAttr(choice["vector"]).value == "k" else find_epilogue(op)
    with ir.InsertionPoint(epilogue.op if epilogue else op), op.location:
        taken = _lower(op, choice, epilogue)
    if not taken:
        with ir.InsertionPoint(op), op.location:
            _lower(op, choice, None)
    op.erase()
    if epilogue and taken:
        epilogue.op.erase()


def _lower(op: ir.Operation, choice: ir.DictAttr, epilogue: Epilogue | None) -> bool:
    """Emit a contraction; return False, with nothing done, if the epilogue cannot be its."""
    vector_role = ir.StringAttr(choice["vector"]).value
    plan = read_plan(op, epilogue.operands() if epilogue else ())
    most = _most_columns(op, choice, "m" if vector_role == "m" else "n")
    if vector_role == "m" or (vector_role == "k" and _fewer_columns(plan)):
        plan = plan.swapped()
    if epilogue and not takes_epilogue(plan):
        return False
    fill = _initial_fill(op)
    product = Product(
        lanes=ir.IntegerAttr(choice["lanes"]).value,
        accumulator=plan.buffers[OUT].element,
        pairs=ir.BoolAttr(choice["pairs"]).value,
    )
    size = plan.axes["k"].size
    depth = ir.IntegerAttr(choice["depth"]).value
    whole = vector_role == "k" or (isinstance(size, int) and size <= depth)
    start = None
    if fill is not None and whole and not plan.outer_depth:
        start = ir.FloatAttr(fill.operands[0].owner.operation.attributes["value"]).value
        fill.erase()
    shape = Shape(
        rows=ir.IntegerAttr(choice["rows"]).value,
        vectors=ir.IntegerAttr(choice["columns"]).value,
        depth=depth,
        unroll=ir.IntegerAttr(choice["unroll"]).value,
        copy_left=ir.BoolAttr(choice["copy"]).value,
        pack_right=ir.BoolAttr(choice["pack"]).value or not contiguous(plan, RIGHT, "n"),
        most_columns=most,
        packed=_packed(op, choice),
        engine="amx" in choice and ir.BoolAttr(choice["amx"]).value,
    )
    if vector_role == "k":
        _outer(plan, [], lambda at: emit_dots(plan, shape, product, start, at))
    else:
        _outer(plan, [], lambda at: emit_tiles(plan, shape, product, start, at, epilogue))
    return True


def _packed(op: ir.Operation, choice: ir.DictAttr) -> ir.Value | None:
    """Return the panels of a weight that were packed before, if there are any."""
    prepared = "prepared" in choice and ir.BoolAttr(choice["prepared"]).value
    return op.operands[2] if prepared and len(op.operands) == 4 else None


def _fewer_columns(plan: Plan) -> bool:
    rows, columns = plan.axes["m"].size, plan.axes["n"].size
    return isinstance(columns, int) and (not isinstance(rows, int) or columns < rows)


def _outer(plan: Plan, at: list[Size], body: Callable[[list[Size]], None]) -> None:
    """Emit the loops that are no part of the block."""
    if len(at) == len(plan.outer):
        body(at)
    else:
        each(0, plan.outer[len(at)].size, 1, lambda i: _outer(plan, [*at, i], body))


def _most_columns(op: ir.Operation, choice: ir.DictAttr, role: str) -> int:
    """Return the most columns that a block has: known sizes, or the tile's."""
    left, right, *_, out = maps_of(op)
    tile = list(ir.DenseI64ArrayAttr(choice["tile"]))
    within, beyond = (right, left) if role == "n" else (left, right)
    sizes = []
    for position, expression in enumerate(out.results):
        loop = ir.AffineDimExpr(expression).position
        if _reads(within, loop) and not _reads(beyond, loop):
            size = ir.MemRefType(op.operands[len(op.operands) - 1].type).shape[position]
            sizes.append(tile[loop] if size == ir.ShapedType.get_dynamic_size() else size)
    return math.prod(sizes)


def _reads(access: ir.AffineMap, loop: int) -> bool:
    return any(ir.AffineDimExpr(e).position == loop for e in access.results)


def _initial_fill(op: ir.Operation) -> ir.Operation | None:
    """Return the fill by a constant that makes the result's initial value, just before an op."""
    result = op.operands[len(op.operands) - 1]
    users = [u.owner.operation for u in result.uses if u.owner.operation.block == op.block]
    users = [u for u in users if u.name != "memref.extract_strided_metadata"]  # a plan's
    last: ir.Operation | None = None
    for user in users:
        if user.is_before_in_block(op) and (last is None or last.is_before_in_block(user)):
            last = user
    if last is None or last.name != "linalg.fill" or last.operands[1] != result:
        return None
    constant = last.operands[0].owner
    is_constant = not isinstance(constant, ir.Block) and constant.operation.name == "arith.constant"
    return last if is_constant else None


OPS = (BlockContractionOp,)
"""Transform ops of this file."""
