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

Needs: static shapes, f32. A kernel that is otherwise goes to the generic path, `blocks`.
"""

# No postponed annotations here: the dialect reads the field types from them.

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.attention.block import Choice
from bellrock.dialects.attention.blocks import Blocks
from bellrock.dialects.attention.chosen import KNOBS
from bellrock.dialects.attention.reading import AttentionKernel, read_kernel
from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.replacing import lower_chosen


@edits_in_place(lambda op: _lower_all(op))
class LowerFlashAttentionOp(Bellrock.Operation, name="lower_flash_attention"):
    """Lower the kernels of the handle's module whose choice is `flash-attention`."""

    target: ext.Operand[transform.AnyOpType]


def _lower_all(root: ir.Operation) -> None:
    lower_chosen(root, KNOBS, Choice, read_kernel, _emit)


def _emit(kernel: AttentionKernel, choice: Choice, arguments: list[ir.Value]) -> None:
    Blocks(kernel.at_positions(arguments), choice, arguments).emit()


OPS = (LowerFlashAttentionOp,)
