"""A square block transposed in vector registers.

Flows in: a source block and a buffer of static shapes, that have one line of a vector register a
side, and are read and written along their last dimensions. Flows out: loads, shuffles and
stores: n vectors of n elements take n * log2(n) shuffles of two vectors, where element by element
they take n * n loads and stores.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, vector

SIDES = (8, 16, 32)
"""Elements of a vector of 64 bytes, of 8, 4 and 2 bytes each."""


def transposes_in_registers(source: ir.Value, buffer: ir.Value) -> bool:
    """Whether a block is a square along the last dimensions of both, with one side in each."""
    kinds = [ir.MemRefType(v.type) for v in (source, buffer)]
    shapes = [[n for n in kind.shape if n != 1] for kind in kinds]
    ends = [list(kind.shape)[-1] for kind in kinds]
    steps = [kind.get_strides_and_offset()[0][-1] for kind in kinds]
    side = ends[0]
    return (
        shapes == [[side, side]] * 2
        and ends == [side, side]
        and side in SIDES
        and (steps == [1, 1])
    )


def transpose_in_registers(source: ir.Value, buffer: ir.Value, order: Sequence[int]) -> None:
    """Store a block in another order of its dimensions.

    Args:
        source: the block.
        buffer: receives it.
        order: the source's dimension of each dimension of the buffer.
    """
    kind = ir.MemRefType(source.type)
    side = kind.shape[-1]
    register = ir.VectorType.get([side], kind.element_type)
    line = next(d for d, n in enumerate(kind.shape) if n == side)
    rows = [vector.load(register, source, _place(kind.rank, line, i)) for i in range(side)]
    row = order.index(kind.rank - 1)
    for i, value in enumerate(transposed(rows)):
        vector.store(value, buffer, _place(kind.rank, row, i))


def transposed(rows: list[ir.Value]) -> list[ir.Value]:
    """Return the columns of a square block, whose side is a power of two.

    The off-diagonal halves of blocks of 2, 4, 8, ... lanes are exchanged.
    """
    rows = list(rows)
    count, distance = len(rows), 1
    while distance < count:
        low = [lane if not lane & distance else count + lane - distance for lane in range(count)]
        high = [lane + distance if not lane & distance else count + lane for lane in range(count)]
        for i in range(count):
            if not i & distance:
                a, b = rows[i], rows[i + distance]
                rows[i] = vector.shuffle(a, b, low)
                rows[i + distance] = vector.shuffle(a, b, high)
        distance *= 2
    return rows


def _place(rank: int, dimension: int, index: int) -> list[ir.Value]:
    zero = arith.constant(ir.IndexType.get(), 0)
    at = arith.constant(ir.IndexType.get(), index)
    return [at if d == dimension else zero for d in range(rank)]
