"""Which pads are left to the kernels that read them.

Flows in: a `tensor.insert_slice` into a constant fill. Flows out: whether every reader is a
convolution or a pooling that reads it through its window, and so can tell inside from outside as it
reads (a pooling, if the constant is what its combiner starts from).
Such a pad costs no pass over memory of its own, and its source keeps a dense result.
"""

from __future__ import annotations

from torch_mlir import ir

from bellrock.dialects.convolution.operands import kept_by_collapse
from bellrock.dialects.pooling.taken import is_neutral, takes_windows
from bellrock.payload.motif import MotifKind, find_motif

PAD = "bellrock.pad"
"""Unit attribute of an `insert_slice` that each kernel makes for itself."""
_VIEWS = {"tensor.expand_shape", "tensor.extract_slice"}


def is_windowed_pad(op: ir.Operation) -> bool:
    """Whether an `insert_slice` is a pad that only windows of convolutions read.

    Args:
        op: of the entry function, when linalg ops are generics.
    """
    base = op.operands[1].owner
    if isinstance(base, ir.Block) or base.operation.name != "linalg.fill":
        return False
    value = base.operation.operands[0].owner
    if isinstance(value, ir.Block) or value.operation.name != "arith.constant":
        return False
    steps = ir.DenseI64ArrayAttr(op.attributes["static_strides"])
    spread = any(s != 1 for s in steps)
    return len(op.operands) == 2 and _only_windows(op, value.operation, spread=spread)


def _only_windows(op: ir.Operation, value: ir.Operation, *, spread: bool) -> bool:
    readers = [(u.owner.operation, u.operand_number) for u in op.results[0].uses]
    return len(readers) > 0 and all(
        reader.block == op.block
        and (
            _only_windows(reader, value, spread=spread)
            if reader.name in _VIEWS or _drops_units(reader)
            else _is_window(reader, number, value, spread=spread)
        )
        for reader, number in readers
    )


def _drops_units(reader: ir.Operation) -> bool:
    return reader.name == "tensor.collapse_shape" and kept_by_collapse(reader) is not None


def _is_window(reader: ir.Operation, number: int, value: ir.Operation, *, spread: bool) -> bool:
    """Whether an op is a convolution or a pooling that reads the operand as its image.

    An image with zeros between its elements has to be read at a stride of 1.
    """
    if reader.name != "linalg.generic":
        return False
    motif = find_motif(reader)
    if motif is not None and takes_windows(motif):
        return not spread and "+" in motif.inputs[number].layout and is_neutral(value, motif)
    if motif is None or motif.kind is not MotifKind.CONVOLUTION:
        return False
    if spread and any(s != 1 for s in motif.lists["strides"]):
        return False
    return number < len(motif.inputs) and motif.inputs[number].layout.endswith(")")
