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

from bellrock.dialects.extension import Bellrock, attach_in_place, ops_named
from bellrock.dialects.outlining import anchor_of
from bellrock.dialects.pooling.reading import PoolingKernel, read_kernel
from bellrock.dialects.pooling.rows import Choice, Rows
from bellrock.dialects.pooling.taken import KNOBS
from bellrock.dialects.replacing import leave_to_blocks, read_sizes, replace


class LowerPoolingsOp(Bellrock.Operation, name="lower_poolings"):
    """Lower the kernels of the handle's module whose choice is `windows`."""

    target: ext.Operand[transform.AnyOpType]

    @classmethod
    def attach(cls, context: ir.Context) -> None:
        """Attach the interfaces in one context."""
        attach_in_place(cls, _lower_all, context)


def _lower_all(root: ir.Operation) -> None:
    for function in ops_named(root, "func.func"):
        anchor = anchor_of(function)
        given = None if anchor is None else read_sizes(anchor, KNOBS)
        if anchor is None or given is None:
            continue
        kernel = read_kernel(function, anchor)
        if kernel is None:
            leave_to_blocks(anchor)
            continue
        numbers = {name: int(value) for name, value in given.items() if name != "parallel"}
        choice = Choice(**numbers, parallel=bool(given["parallel"]))

        def emit(
            arguments: list[ir.Value], kernel: PoolingKernel = kernel, choice: Choice = choice
        ) -> None:
            Rows(kernel, choice, arguments).emit()

        replace(function, emit)


OPS = (LowerPoolingsOp,)
