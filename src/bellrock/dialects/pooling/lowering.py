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

Needs: static shapes; floats; see `taken`. A function that is otherwise is left alone.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math

from torch_mlir import ir
from torch_mlir.dialects import ext, func, transform

from bellrock.dialects.extension import Bellrock, attach_in_place, ops_named
from bellrock.dialects.outlining import CHOICE, KERNEL, anchor_of
from bellrock.dialects.pooling.reading import PoolingKernel, read_kernel
from bellrock.dialects.pooling.rows import Choice, Rows
from bellrock.dialects.pooling.taken import KNOBS


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
        choice = None if anchor is None else _read_choice(anchor)
        if anchor is None or choice is None:
            continue
        kernel = read_kernel(function, anchor)
        if kernel is not None:
            with ir.InsertionPoint(function), function.location:
                _emit(function, kernel, choice)
            function.erase()


def _read_choice(anchor: ir.Operation) -> Choice | None:
    if CHOICE not in anchor.attributes:
        return None
    given = ir.DictAttr(anchor.attributes[CHOICE])
    if ir.StringAttr(given["knobs"]).value != KNOBS:
        return None
    names = ("lanes", "rows", "columns")
    sizes = {name: ir.IntegerAttr(given[name]).value for name in names}
    return Choice(**sizes, parallel=ir.BoolAttr(given["parallel"]).value)


def _emit(function: ir.Operation, kernel: PoolingKernel, choice: Choice) -> None:
    """Make the new function beside the old one."""
    old = function.regions[0].blocks[0]
    name = ir.StringAttr(function.attributes["sym_name"]).value
    new = func.FuncOp(name, ([_flat(a.type) for a in old.arguments], []))
    if KERNEL in function.attributes:
        new.attributes[KERNEL] = function.attributes[KERNEL]
    block = new.add_entry_block()
    with ir.InsertionPoint(block):
        Rows(kernel, choice, list(block.arguments)).emit()
        func.ReturnOp([])


def _flat(kind: ir.Type) -> ir.Type:
    """Return the buffer of a dense tensor, as one dimension."""
    if not isinstance(kind, ir.RankedTensorType):
        return kind
    return ir.MemRefType.get([math.prod(kind.shape)], kind.element_type)


OPS = (LowerPoolingsOp,)
