"""`transform.bellrock.outline_kernels`: group the payload's ops into kernels, as functions.

Missing upstream: `loop.outline` outlines what has been tiled already; here kernels are
formed first, on untiled ops, so that equal ones merge before any work is spent on them
(docs/design/0002). How ops are grouped is in `grouping`, how a group becomes a function in
`outlining`.

Rewrite:
    %c = linalg.generic (contraction) ...; %r = linalg.generic (bias, relu) ins(%c, %b) ...
  ->
    %r = func.call @k_contraction_<hash>(%x, %w, %b, %empty)
    func.func private @k_contraction_<hash>(...) attributes {bellrock.kernel} { ... }

Leaves: in the entry function only calls, loops, reshapes, scalars and empty tensors.
"""

# No postponed annotations here: the dialect reads the field types from them.
from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.grouping import group_block
from bellrock.dialects.outliner import Outliner
from bellrock.dialects.row_grouping import EnoughRows


@edits_in_place(lambda op, **given: _outline(op, **given), options=("fewest_rows", "small"))
class OutlineKernelsOp(Bellrock.Operation, name="outline_kernels"):
    """Outline the kernels of the handle's functions (see the module's docstring)."""

    target: ext.Operand[transform.AnyOpType]
    fewest_rows: ir.IntegerAttr
    """That a kernel around reductions has, so that every core has work."""
    small: ir.IntegerAttr
    """Iterations of a kernel's longest op up to which it may have fewer rows."""


def _outline(function: ir.Operation, *, fewest_rows: int, small: int) -> None:
    outliner = Outliner(function.parent.operation)
    enough = EnoughRows(fewest=fewest_rows, small=small)
    _outline_block(function.regions[0].blocks[0], outliner, enough)


def _outline_block(block: ir.Block, outliner: Outliner, enough: EnoughRows) -> None:
    grouping = group_block(block, enough)
    for nested in grouping.control:
        for region in nested.regions:
            for inner in region.blocks:
                _outline_block(inner, outliner, enough)
    for group in grouping.groups:
        outliner.outline(group)


OPS = (OutlineKernelsOp,)
