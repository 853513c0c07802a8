"""`transform.bellrock.tile_rows`: cut all ops of a kernel together, along their rows.

Missing upstream: `structured.fuse` starts from one root and makes what it needs, so that an op
with two readers is made twice, and one that is itself a result not at all. Here the ops share
loops (`row_space`), so each is cut once, in program order, and every result is put
together from the blocks.

Rewrite (softmax over rows of tensor<64x100xf32>, one row a block):
    %m = linalg.generic (maximum) ...; %e = linalg.generic (exponential) ...; ...
  ->
    %r = scf.forall (%i) = (0) to (64) step (1) shared_outs(%o = %arg1) {
      %x = tensor.extract_slice %arg0[%i, 0] [1, 100] [1, 1]
      %m = linalg.generic (maximum) ins(%x) ...; ...
      scf.forall.in_parallel { tensor.parallel_insert_slice %q into %o[%i, 0] ... } }

Where a block does not divide its loop, what is left is a second forall. A result that is inserted
into a larger tensor is put together in its slice of that. Needs: static shapes; a choice
with the fields of `RowLimits` on the kernel's anchor.
"""

# No postponed annotations here: the dialect reads the field types from them.
import itertools
import math
from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import ext, scf, tensor, transform

from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.grouping import defining_op
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.outlining import ANCHOR, CHOICE
from bellrock.dialects.row_blocks import RowLimits, block_sizes
from bellrock.dialects.row_grouping import is_heavy
from bellrock.dialects.row_space import RESHAPES, RowSpace, is_row_op, reduces, row_space
from bellrock.dialects.tiled_rows import TiledRows

SERIAL_ITERATIONS = 8192
"""Below this many innermost iterations of any op, the kernel is left whole and serial."""


@edits_in_place(lambda op, **given: _tile(op, **given), options=("single",))
class TileRowsOp(Bellrock.Operation, name="tile_rows"):
    """Cut the ops of each of the handle's kernels along the loops that they share."""

    target: ext.Operand[transform.AnyOpType]
    single: ir.IntegerAttr
    """Whether each row is a block of its own, whatever the choice and however small."""


def row_ops(function: ir.Operation) -> list[ir.Operation]:
    """Return a kernel's generics and the reshapes of what they make, in program order."""
    found: list[ir.Operation] = []
    for op in (o.operation for o in function.regions[0].blocks[0].operations):
        source = defining_op(op.operands[0]) if op.name in RESHAPES else None
        if op.name == "linalg.generic" or (source is not None and source in found):
            found.append(op)
    return found


def _tile(function: ir.Operation, *, single: int) -> None:
    ops = row_ops(function)
    generics = [op for op in ops if op.name not in RESHAPES]
    if not all(is_row_op(op) for op in generics):
        return
    limits = None if single else _limits(ops)
    if limits is None and not (single and _goes_over_rows(generics)):
        return
    if limits and max(math.prod(loop_sizes(op).values()) for op in generics) < SERIAL_ITERATIONS:
        return
    space = row_space(ops) or row_space(ops, through_inputs=True)
    if space is None:
        return
    sizes = block_sizes(ops, space, limits) if limits else (1,) * len(space.sizes)
    if sizes != space.sizes and _readers_last(function, ops):
        _emit(function, ops, space, sizes, single=bool(single))


def _goes_over_rows(generics: Sequence[ir.Operation]) -> bool:
    """Whether ops are around a reduction, none of which has a schedule of its own."""
    return any(reduces(op) for op in generics) and not any(is_heavy(op) for op in generics)


def _readers_last(function: ir.Operation, ops: Sequence[ir.Operation]) -> bool:
    """Move what else reads the ops' results (insertions) behind all of them; whether that works."""
    body = [o.operation for o in function.regions[0].blocks[0].operations]
    made = {r for op in ops for r in op.results}
    readers: list[ir.Operation] = []
    for op in body[:-1]:
        reads = {v for reader in readers for v in reader.results}
        if op in ops:
            if any(v in reads for v in op.operands):
                return False
        elif any(v in reads or v in made for v in op.operands):
            readers.append(op)
    for op in readers:
        op.move_before(body[-1])
    return True


def _limits(ops: Sequence[ir.Operation]) -> RowLimits | None:
    for op in ops:
        if ANCHOR in op.attributes and CHOICE in op.attributes:
            choice = ir.DictAttr(op.attributes[CHOICE])
            names = RowLimits.__dataclass_fields__
            if all(name in choice for name in names):
                return RowLimits(**{n: ir.IntegerAttr(choice[n]).value for n in names})
    return None


def _emit(
    function: ir.Operation, ops: Sequence[ir.Operation], space: RowSpace, block: tuple[int, ...],
    *, single: bool,
) -> None:  # fmt: skip
    """Put the foralls behind the ops, and return their results in place of the ops'."""
    wanted = [r for op in ops for r in op.results
              if any(u.owner.operation not in ops for u in r.uses)]  # fmt: skip
    tiled = TiledRows(ops, space, wanted, numbers_apart=single)
    with ir.InsertionPoint.after(ops[-1]), function.location:
        current = [tiled.destinations[i] for i in range(len(wanted))]
        for corner in itertools.product(*map(_segments, space.sizes, block)):
            current = _forall(tiled, current, corner)
    for before, after in zip(wanted, current, strict=True):
        before.replace_all_uses_with(after)
    for op in reversed(ops):
        op.erase()


def _segments(size: int, block: int) -> list[tuple[int, int, int]]:
    """Return (begin, end, step) of the whole blocks, and of what is left."""
    whole = size // block * block
    return [s for s in ((0, whole, block), (whole, size, size - whole)) if s[0] < s[1]]


def _forall(
    tiled: TiledRows, current: list[ir.Value], corner: tuple[tuple[int, int, int], ...]
) -> list[ir.Value]:
    begins, ends, steps = (list(c) for c in zip(*corner, strict=True))
    forall = scf.ForallOp(begins, ends, steps, current)
    with ir.InsertionPoint(forall.body):
        shared = list(forall.inner_iter_args)
        blocks, places = tiled.block(list(forall.induction_variables), steps, shared)
        in_parallel = scf.InParallelOp()
        with ir.InsertionPoint(in_parallel.regions[0].blocks[0]):
            for value, into, place in zip(blocks, shared, places, strict=True):
                dynamic = [o for o in place.offsets if not isinstance(o, int)]
                tensor.ParallelInsertSliceOp(
                    value, into, dynamic, [], [], place.static_offsets, place.sizes,
                    [1] * len(place.sizes),
                )  # fmt: skip
    return list(forall.results)


OPS = (TileRowsOp,)
