"""A kernel function on tensors replaced by one on flat buffers.

Flows in: the function, its anchor's choice, what emits the new body. Flows out: the new function
in place of the old one; or the choice of the generic path, for what a lowering does not take.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch_mlir import ir
from torch_mlir.dialects import func

from bellrock.dialects.outlining import CHOICE, KERNEL
from bellrock.payload.motifs.structured import read_structured

FALLBACK_BLOCKS = 64
"""Blocks that a kernel is cut into which a lowering leaves to the generic path."""


def read_sizes(anchor: ir.Operation, knobs: str) -> dict[str, int | bool] | None:
    """Return the integers and booleans of an anchor's choice, if it is of these knobs."""
    if CHOICE not in anchor.attributes:
        return None
    given = ir.DictAttr(anchor.attributes[CHOICE])
    if ir.StringAttr(given["knobs"]).value != knobs:
        return None
    return {
        item.name: item.attr.value
        for item in given
        if isinstance(item.attr, ir.IntegerAttr | ir.BoolAttr)
    }


def replace(function: ir.Operation, emit: Callable[[list[ir.Value]], None]) -> None:
    """Put a function on flat buffers in the place of one on tensors.

    Args:
        function: of one block; its dense tensors become buffers of one dimension.
        emit: called with the new arguments, at the start of the new body.
    """
    with ir.InsertionPoint(function), function.location:
        old = function.regions[0].blocks[0]
        name = ir.StringAttr(function.attributes["sym_name"]).value
        new = func.FuncOp(name, ([_flat(a.type) for a in old.arguments], []))
        if KERNEL in function.attributes:
            new.attributes[KERNEL] = function.attributes[KERNEL]
        block = new.add_entry_block()
        with ir.InsertionPoint(block):
            emit(list(block.arguments))
            func.ReturnOp([])
    function.erase()


def _flat(kind: ir.Type) -> ir.Type:
    """Return the buffer of a dense tensor, as one dimension."""
    if not isinstance(kind, ir.RankedTensorType):
        return kind
    return ir.MemRefType.get([math.prod(kind.shape)], kind.element_type)


def leave_to_blocks(anchor: ir.Operation) -> None:
    """Choose blocks in place of what a lowering does not take: shared by the cores."""
    structured = read_structured(anchor)
    if structured is None:
        return
    output = structured.output_loops
    tile, blocks = [0] * len(structured.loops), 1
    for loop, size in enumerate(structured.loops):
        if loop in output and blocks < FALLBACK_BLOCKS:
            tile[loop] = 1
            blocks *= size
    knobs = ir.DictAttr.get(
        {
            "by": ir.DictAttr(anchor.attributes[CHOICE])["by"],
            "knobs": ir.StringAttr.get("blocks", anchor.context),
            "tile": ir.DenseI64ArrayAttr.get(tile, anchor.context),
        },
        anchor.context,
    )
    anchor.attributes[CHOICE] = knobs
