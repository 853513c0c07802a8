"""Copying a factor to memory from which block loads can read it, before the product.

Flows in: a kernel, one side of which block loads refuse (a pitch or start that they do not take,
elementwise ops before the product). Flows out: a launch that writes it row by row at a pitch of
whole cache lines, zeros behind each row; and the side as it lies then.

That pays where each element is multiplied many times. Images of convolutions are not copied:
windows overlap, and the copy would be as many times larger as the window has taps. What depends on
fixed arguments only is copied once, before (`padding`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch_mlir import ir
from torch_mlir.dialects import arith, gpu, memref, scf, vector

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.operands import Operand
from bellrock.dialects.matrix_engine.block_io import BASE_BYTES, LANES
from bellrock.dialects.matrix_engine.operands import ELEMENT_BYTES, block_access
from bellrock.dialects.matrix_engine.points import Points
from bellrock.dialects.matrix_engine.reading import EngineKernel, Loops, Side
from bellrock.dialects.matrix_engine.tile import inside
from bellrock.dialects.matrix_engine.views import indices, split
from bellrock.dialects.vector_code import Index
from bellrock.payload.motifs.access import loops_in

USES = 256
"""Products of each element from which on a copy pays."""
_UNIT = BASE_BYTES // ELEMENT_BYTES
_SUB_GROUPS = 8
"""Of a work-group that copies; each copies a row's part."""
_STEPS = 8
"""Elements that a lane copies."""


def with_packed(
    kernel: EngineKernel, arguments: Sequence[ir.Value]
) -> tuple[EngineKernel, list[ir.Value], list[ir.Value]]:
    """Copy the sides of a kernel that are worth it.

    Args:
        kernel: to multiply.
        arguments: the new function's buffers.

    Returns:
        The kernel that reads the copies; the buffers with those of copies at the end; the copies,
        to be freed after the product.
    """
    buffers, copies = list(arguments), []
    for side in (kernel.a, kernel.b):
        if not is_packed(kernel, side):
            continue
        packing = Packing(kernel, side)
        copy = memref.alloc(packing.kind, [], [], alignment=BASE_BYTES)
        packing.emit(Points(arguments), copy)
        moved = dataclasses.replace(side, memory=packing.memory(len(buffers)), padded=True)
        buffers.append(copy)
        copies.append(copy)
        which = "a" if side is kernel.a else "b"
        kernel = dataclasses.replace(kernel, **{which: moved})
    return kernel, buffers, copies


def is_packed(kernel: EngineKernel, side: Side) -> bool:
    """Whether a side is copied first."""
    uses = (kernel.columns if side is kernel.a else kernel.rows).size
    apart = all(e.loop is not None or e.is_constant for e in side.access)
    return apart and uses >= USES and block_access(kernel, side) is None


class Packing:
    """The copy of one side: rows along `wide`, one for each step of `batch` and `tall`."""

    def __init__(self, kernel: EngineKernel, side: Side) -> None:
        """Choose which dimension rows run along."""
        self._kernel, self._side = kernel, side
        is_a = side is kernel.a
        across = kernel.rows if is_a else kernel.columns
        strides = {} if side.memory is None else side.memory.strides
        # Rows run as they do in memory, so that lanes read neighbours.
        depth_first = not is_a
        if kernel.depth.stride(strides) == 1:
            depth_first = False
        elif across.stride(strides) == 1:
            depth_first = True
        self.tall, self.wide = (kernel.depth, across) if depth_first else (across, kernel.depth)
        own = loops_in(side.access)
        batch = [(n, s) for n, s in zip(kernel.batch.numbers, kernel.batch.sizes, strict=True)
                 if n in own]  # fmt: skip
        self.batch = Loops(tuple(n for n, _ in batch), tuple(s for _, s in batch))
        self.pitch = self.pitch_of(self.wide.size)

    @staticmethod
    def pitch_of(size: int) -> int:
        """Return how far apart rows of a size start."""
        return -(-size // _UNIT) * _UNIT

    @property
    def kind(self) -> ir.MemRefType:
        """Of the copy."""
        elements = self.batch.size * self.tall.size * self.pitch
        return ir.MemRefType.get([elements], ir.Type.parse(self._side.dtype))

    def memory(self, argument: int) -> Operand:
        """Return how the copy lies in memory."""
        strides: dict[int, int] = {}
        step = 1
        for dimension, start in ((self.wide, 1), (self.tall, self.pitch),
                                 (self.batch, self.pitch * self.tall.size)):  # fmt: skip
            step = start
            for number, size in zip(
                reversed(dimension.numbers), reversed(dimension.sizes), strict=True
            ):
                strides[number] = step
                step *= size
        return Operand(argument, 0, strides)

    def emit(self, points: Points, copy: ir.Value) -> None:
        """Emit the launch."""
        part = _STEPS * LANES
        grid = (-(-self.pitch // part), -(-self.tall.size // _SUB_GROUPS), self.batch.size)
        launch = gpu.LaunchOp(grid, (_SUB_GROUPS * LANES, 1, 1))
        block = launch.operation.regions[0].blocks[0]
        with ir.InsertionPoint(block):
            column, row, batch = list(block.arguments)[:3]
            row = code.add(code.scaled(row, _SUB_GROUPS), gpu.subgroup_id())
            column = code.add(code.scaled(column, part), gpu.lane_id())
            here = scf.IfOp(inside(row, self.tall))
            with ir.InsertionPoint(here.then_block):
                self._copy(points, copy, row, column, batch)
                scf.YieldOp([])
            gpu.terminator()

    def _copy(
        self, points: Points, copy: ir.Value, row: Index, column: Index, batch: Index
    ) -> None:
        """Copy a lane's elements of a row."""
        at = [code.add(column, e * LANES) for e in range(_STEPS)]
        loops: list[Index] = [0] * len(self._kernel.op.loops)
        for where, dimension in ((row, self.tall), (batch, self.batch)):
            for number, index in zip(dimension.numbers, split(where, dimension.sizes), strict=True):
                loops[number] = index
        wanted = []
        for place in at:
            mine = list(loops)
            clamped = code.minimum(place, self.wide.size - 1)
            for number, index in zip(
                self.wide.numbers, split(clamped, self.wide.sizes), strict=True
            ):
                mine[number] = index
            wanted.append(indices(self._side.access, mine))
        values = points.at(self._side.value, wanted)
        kind = ir.VectorType(values.type).element_type
        zero = arith.constant(kind, 0.0)
        start = code.scaled(code.add(code.scaled(batch, self.tall.size), row), self.pitch)
        for e, place in enumerate(at):
            fits = scf.IfOp(code.below(place, self.pitch))
            with ir.InsertionPoint(fits.then_block):
                value = vector.extract(values, [], [e])
                value = arith.select(inside(place, self.wide), value, zero)
                memref.store(value, copy, [code.as_value(code.add(start, place))])
                scf.YieldOp([])
