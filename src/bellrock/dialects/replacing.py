"""A kernel function on tensors replaced by one on flat buffers.

Flows in: the function, its anchor's choice, what emits the new body. Flows out: the new function
in place of the old one; or the choice of the generic path, for what a lowering does not take.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from torch_mlir import ir
from torch_mlir.dialects import func

from bellrock.dialects.extension import ops_named
from bellrock.dialects.given_choice import CHOICE, choice_of
from bellrock.dialects.outlining import KERNEL, anchor_of
from bellrock.payload.motifs.structured import read_structured

FALLBACK_BLOCKS = 64
"""Blocks that a kernel is cut into which a lowering leaves to the generic path."""


Kernel = TypeVar("Kernel")
Sizes = TypeVar("Sizes")
Emit = Callable[[Kernel, Sizes, list[ir.Value]], None]
"""Emits the body of one kernel from what was read of it, its choice, and the new arguments."""


def lower_chosen(
    root: ir.Operation,
    knobs: str,
    sizes: Callable[..., Sizes],
    read: Callable[[ir.Operation, ir.Operation], Kernel | None],
    emit: Emit[Kernel, Sizes],
) -> None:
    """Lower by hand the kernels whose anchor's choice is of these knobs.

    Args:
        root: what holds the kernel functions.
        knobs: name of the class of knobs.
        sizes: called with the choice's integers and booleans by name.
        read: returns what it finds in (function, anchor); None leaves them to the generic path.
        emit: see `Emit`.
    """
    for function in ops_named(root, "func.func"):
        anchor = anchor_of(function)
        given = None if anchor is None else read_sizes(anchor, knobs)
        if anchor is None or given is None:
            continue
        kernel = read(function, anchor)
        if kernel is None:
            leave_to_blocks(anchor)
        else:
            replace(function, partial(emit, kernel, sizes(**given)))


def read_sizes(anchor: ir.Operation, knobs: str) -> dict[str, int | bool] | None:
    """Return the integers and booleans of an anchor's choice, if it is of these knobs."""
    given = choice_of(anchor, knobs)
    if given is None:
        return None
    return {
        item.name: bool(item.attr.value) if isinstance(item.attr, ir.BoolAttr) else item.attr.value
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
