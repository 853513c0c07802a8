"""How much memory a function needs if each of its ops is done by itself, before it is fused.

Flows in: a function on tensors. Flows out: bytes: its arguments, and most of what is made on the
way and still needed at one time. That is what eager needs, or less: it fuses less, and pads apart.
What libraries need inside their operators is counted apart (`library_bytes`).
"""

from __future__ import annotations

import math
from itertools import accumulate

from torch_mlir import ir

from bellrock.dialects.buffer_uses import ancestor_in, element_bytes
from bellrock.dialects.grouping import VIEWS
from bellrock.dialects.kinds import kind_of
from bellrock.dialects.pads import PAD

_FRESH = {"tensor.empty", "linalg.fill"}
"""Makers of what an op writes into that hold no memory of their own, or none that eager has."""


def tensor_bytes(value: ir.Value) -> int:
    """Return the size of a tensor; 0 of what is none."""
    kind = value.type
    if not isinstance(kind, ir.RankedTensorType) or not kind.has_static_shape:
        return 0
    return math.prod(kind.shape) * element_bytes(kind.element_type)


def library_bytes(op: ir.Operation) -> int:
    """Return what a library allocates beside the operands and the result of an op.

    Convolutions are done in a layout of the library's own: there are copies of image, filters and
    result, and then the result beside its copy. Read off PyTorch 2.13 with oneDNN, by the
    profiler's account of its allocator, for ten convolutions of one to three dimensions, grouped,
    dilated and strided (transposed ones need twice the result).
    """
    if op.name != "linalg.generic" or kind_of(op) != "convolution":
        return 0
    image, filters = (tensor_bytes(v) for v in list(op.operands)[:2])
    return max(image + filters, tensor_bytes(op.results[0]))


def peak_bytes(function: ir.Operation, *, libraries: bool = False) -> int:
    """Return the bytes that a function needs, its arguments included.

    Args:
        function: on tensors.
        libraries: whether ops are done by libraries, which need memory inside (`library_bytes`).
    """
    block = function.regions[0].blocks[0]
    ops = [o.operation for o in block.operations]
    position = {op: i for i, op in enumerate(ops)}
    memory: dict[ir.Value, ir.Value] = {}
    change = [0] * (len(ops) + 1)
    last: dict[ir.Value, int] = {}
    inside = [library_bytes(op) if libraries else 0 for op in ops]
    for i, op in enumerate(ops):
        for result in op.results:
            memory[result] = root = _memory_of(op, result, memory)
            ends = [position[ancestor_in(u.owner.operation, block)] for u in result.uses]
            if root == result and op.name not in _FRESH and op.name != "arith.constant":
                change[i] += tensor_bytes(result)
                last[root] = i
            if root in last:
                last[root] = max([last[root], *ends])
    for root, end in last.items():
        change[end + 1] -= tensor_bytes(root)
    held = sum(tensor_bytes(a) for a in block.arguments)
    live = list(accumulate(change))[: len(ops)]
    return held + max((a + b for a, b in zip(live, inside, strict=True)), default=0)


def _memory_of(
    op: ir.Operation, result: ir.Value, memory: dict[ir.Value, ir.Value]
) -> ir.Value:  # fmt: skip
    """Return the value whose memory a result lies in: itself, if it has memory of its own."""
    if op.name in VIEWS or op.name == "tensor.extract_slice" or PAD in op.attributes:
        return memory.get(op.operands[0], op.operands[0])
    if op.name.startswith("linalg.") or op.name == "tensor.insert_slice":
        number = ir.OpResult(result).result_number
        into = op.operands[1 if op.name == "tensor.insert_slice" else -len(op.results) + number]
        maker = None if isinstance(into.owner, ir.Block) else into.owner.operation
        if maker is not None and maker.name not in _FRESH:
            return memory.get(into, into)
    return result
