"""`transform.bellrock.thread_buffers`: one stack buffer per thread, not per iteration.

Missing upstream: a temporary that is promoted to the stack inside a parallel loop stays in its
body, where each iteration would allocate it again. Here it moves to the start of the
parallel region (or of the function), and the scopes that guarded it go away.

Rewrite:
    omp.parallel { omp.wsloop { ... memref.alloca_scope { %b = memref.alloca() ... } } }
  ->
    omp.parallel { %b = memref.alloca()  omp.wsloop { ... } }

Needs: static sizes; each iteration writes a buffer before it reads it (true of buffers that
bufferisation made from tensors without contents).
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place, ops_named

_HOMES = {"omp.parallel", "func.func"}


@edits_in_place(lambda op: _move_all(op))
class ThreadBuffersOp(Bellrock.Operation, name="thread_buffers"):
    """Move stack buffers below the handle's ops to where their thread starts."""

    target: ext.Operand[transform.AnyOpType]


def _move_all(root: ir.Operation) -> None:
    for op in ops_named(root, "memref.alloca"):
        home = op.parent.operation
        while home.name not in _HOMES:
            home = home.parent.operation
        first = home.regions[0].blocks[0].operations[0].operation
        if not len(op.operands) and op != first:
            op.move_before(first)


OPS = (ThreadBuffersOp,)
