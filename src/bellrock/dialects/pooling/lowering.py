"""`transform.bellrock.lower_poolings`: a pooling's kernel as vector code.

Missing upstream: a pad that is read through a window only cannot be folded into the window's
bounds, and a window is not split into its dimensions.

Rewrite (kernel of a function by itself):
    func @k(%x: tensor<..>, %out: tensor<..>) { pad, linalg.generic (pooling), ... }
  ->
    func @k(%x: memref<..>, %out: memref<..>) {
      scf.forall blocks of rows { for rows {
        for vectors of the image's row { combine the rows of the window that are in the image }
        for vectors of the result's row { combine along the window; elementwise ops; store } } } }

A window of KH x KW elements then costs KH + KW combinations instead of KH * KW, the first KH of
them on whole vectors of memory. The row in between lies in a small buffer, whose margins hold
the combiner's neutral element: that is all there is of the padding.

Needs: static shapes; floats; see `taken`. A kernel that is otherwise goes to `blocks`.
"""

# No postponed annotations here: the dialect reads the field types from them.

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.pooling.reading import PoolingKernel, read_kernel
from bellrock.dialects.pooling.rows import Choice, Rows
from bellrock.dialects.pooling.taken import KNOBS
from bellrock.dialects.replacing import lower_chosen


@edits_in_place(lambda op: _lower_all(op))
class LowerPoolingsOp(Bellrock.Operation, name="lower_poolings"):
    """Lower the kernels of the handle's module whose choice is `windows`."""

    target: ext.Operand[transform.AnyOpType]


def _lower_all(root: ir.Operation) -> None:
    lower_chosen(root, KNOBS, Choice, read_kernel, _emit)


def _emit(kernel: PoolingKernel, choice: Choice, arguments: list[ir.Value]) -> None:
    Rows(kernel, choice, arguments).emit()


OPS = (LowerPoolingsOp,)
