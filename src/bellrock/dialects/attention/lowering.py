"""`transform.bellrock.lower_flash_attention`: an attention's kernel as vector code.

Missing upstream: tiling and fusing cannot carry a softmax over blocks of keys, since what was
summed so far has to be scaled again when the maximum grows.

Rewrite (kernel of a function by itself):
    func @k(%q: tensor<..>, %k: tensor<..>, %v: tensor<..>, %out: tensor<..>) {
      scores, scale and mask, maximum, exponentials, total, output }
  ->
    func @k(%q: memref<..>, ...) {
      scf.forall blocks of queries { for blocks of keys {
        scores = keys x queries; maximum; exponentials; output += values x exponentials } } }

Queries lie side by side in vectors, and keys and values are scalars that are broadcast: then
nothing but a block's queries and results is transposed, and softmaxes need no work across lanes.
A causal mask ends the loop over keys early.

Needs: static shapes, f32. A function that is otherwise is left alone.
"""

# No postponed annotations here: the dialect reads the field types from them.
import math

from torch_mlir import ir
from torch_mlir.dialects import ext, func, transform

from bellrock.dialects.attention.blocks import Blocks, Choice
from bellrock.dialects.attention.chosen import CHOICE, KNOBS
from bellrock.dialects.attention.reading import AttentionKernel, read_kernel
from bellrock.dialects.extension import Bellrock, attach_in_place, ops_named
from bellrock.dialects.outlining import KERNEL, anchor_of


class LowerFlashAttentionOp(Bellrock.Operation, name="lower_flash_attention"):
    """Lower the kernels of the handle's module whose choice is `flash-attention`."""

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
    names = ("lanes", "vectors", "rows", "keys")
    sizes = {name: ir.IntegerAttr(given[name]).value for name in names}
    return Choice(**sizes, parallel=ir.BoolAttr(given["parallel"]).value)


def _emit(function: ir.Operation, kernel: AttentionKernel, choice: Choice) -> None:
    """Make the new function beside the old one."""
    old = function.regions[0].blocks[0]
    name = ir.StringAttr(function.attributes["sym_name"]).value
    new = func.FuncOp(name, ([_flat(a.type) for a in old.arguments], []))
    if KERNEL in function.attributes:
        new.attributes[KERNEL] = function.attributes[KERNEL]
    block = new.add_entry_block()
    with ir.InsertionPoint(block):
        Blocks(kernel, choice, list(block.arguments)).emit()
        func.ReturnOp([])


def _flat(kind: ir.Type) -> ir.Type:
    """Return the buffer of a dense tensor, as one dimension."""
    if not isinstance(kind, ir.RankedTensorType):
        return kind
    return ir.MemRefType.get([math.prod(kind.shape)], kind.element_type)


OPS = (LowerFlashAttentionOp,)
