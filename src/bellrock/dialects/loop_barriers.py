"""`transform.bellrock.loop_barriers`: threads meet once at the end of a parallel loop, not twice.

Missing upstream: `convert-scf-to-openmp` leaves a worksharing loop's own barrier in place,
though the parallel region ends right behind it, and its end is a barrier. The second meeting is
most of what a short kernel costs on a busy machine.

Rewrite:
    omp.parallel { omp.wsloop { ... }  omp.terminator }
  ->
    omp.parallel { omp.wsloop nowait { ... }  omp.terminator }

Needs: nothing behind the loop in its region; no reduction (its combining is left alone).
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named


@edits_in_place(lambda op: _drop_all(op))
class LoopBarriersOp(Bellrock.Operation, name="loop_barriers"):
    """Drop the barrier of each worksharing loop that its parallel region ends with."""

    target: ext.Operand[transform.AnyOpType]


def _drop_all(root: ir.Operation) -> None:
    for parallel in ops_named(root, "omp.parallel"):
        *_, last = (each.operation for block in parallel.regions[0] for each in block)
        before = [each.operation for each in last.block.operations][-2:-1]
        for op in before:
            if op.name == "omp.wsloop" and "reduction_syms" not in op.attributes:
                op.attributes["nowait"] = ir.UnitAttr.get(op.context)


OPS = (LoopBarriersOp,)
