"""How many rows, and how many columns of them, one block of a kernel takes.

Flows in: the ops of a kernel, their `RowSpace`, and what the kernel's choice allows. Flows
out: a size of block for each shared loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir

from bellrock.dialects.fold_movement import maps_of
from bellrock.dialects.loop_order import loop_sizes
from bellrock.dialects.row_space import RESHAPES, RowSpace, element_bytes

LANES = 16
"""Columns are cut into multiples of these, so that vectors stay whole."""


PASSES_SHARE = 8
"""Blocks that are gone over several times are smaller by this: while a processor ends the last
pass over a block it reads the next one already, if both are short enough for it to see."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowLimits:
    """What a choice says of blocks (see the target's parameters)."""

    cache_bytes: int
    """Of the block's part of the largest tensor, if it is read more than once."""
    columns: int
    """At most these many neighbours in memory along shared loops."""
    iterations: int
    """Fewest of the innermost loops, in all, per block."""
    blocks: int
    """Wanted at least, so that every core has work."""


def block_sizes(ops: Sequence[ir.Operation], space: RowSpace, limits: RowLimits) -> tuple[int, ...]:
    """Return the size of a block along each shared loop."""
    generics = [op for op in ops if op.name not in RESHAPES]
    inner = {op: _inner_iterations(op, space) for op in generics}
    leader = max(generics, key=lambda op: (inner[op], math.prod(loop_sizes(op).values())))
    passes = sum(1 for op in generics if inner[op] == inner[leader])
    columns = _columns(leader, space)
    width = limits.columns
    if passes > 1:
        width = min(width, limits.cache_bytes // (inner[leader] * _widest_bytes(leader)))
    most = max(1, space.rows // limits.blocks)
    block = [1] * len(space.sizes)
    taken = _grow(block, space.sizes, columns, max(LANES, min(width, most)), lanes=LANES)
    rest = [d for d in reversed(range(len(block))) if block[d] == 1]
    enough = limits.iterations if passes == 1 else limits.iterations // PASSES_SHARE
    wanted = min(-(-enough // (inner[leader] * taken)), most // taken)
    _grow(block, space.sizes, rest, wanted, lanes=1)
    return tuple(block)


def _grow(
    block: list[int], sizes: Sequence[int], loops: list[int], wanted: int, *, lanes: int
) -> int:
    """Let blocks take up to `wanted` iterations along some loops, in the order given."""
    taken = 1
    for d in loops:
        room = wanted // taken
        if room <= 1:
            break
        block[d] = min(sizes[d], even_size(sizes[d], room, lanes))
        taken *= block[d]
        if block[d] < sizes[d]:
            break
    return taken


def even_size(size: int, most: int, lanes: int = 1) -> int:
    """Return a size of block up to `most`, one without a remainder if it is not much smaller."""
    if most >= size:
        return size
    top = max(1, most // lanes) * lanes if most >= lanes else most
    step = lanes if most >= lanes else 1
    for candidate in range(top, top // 2, -step):
        if size % candidate == 0:
            return candidate
    return top


def _inner_iterations(op: ir.Operation, space: RowSpace) -> int:
    sizes = loop_sizes(op)
    return math.prod(n for loop, n in sizes.items() if loop not in space.loops[op])


def _largest_operand(op: ir.Operation) -> int:
    """Return the number of the operand with the most elements."""
    shapes = [list(v.type.shape) if isinstance(v.type, ir.RankedTensorType) else []
              for v in op.operands]  # fmt: skip
    return max(range(len(shapes)), key=lambda i: (len(shapes[i]) > 0, math.prod(shapes[i])))


def _columns(op: ir.Operation, space: RowSpace) -> list[int]:
    """Return the shared loops along which neighbours in memory lie, innermost first."""
    along = space.along(op, maps_of(op)[_largest_operand(op)])
    found: list[int] = []
    for shared in reversed(along):
        if shared is None:
            break
        found.append(shared)
    return found


def _widest_bytes(op: ir.Operation) -> int:
    kind = op.operands[_largest_operand(op)].type
    return element_bytes(kind.element_type if isinstance(kind, ir.RankedTensorType) else kind)
