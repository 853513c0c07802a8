"""Where a lane is in a matrix product, and the tile of it that its sub-group makes.

Flows in: a kernel, the tiles of the choice, indices of the work-group and lane. Flows out:
indices of all loops for an element of the product, inside of the matrices even where the tile
is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import arith

from bellrock.dialects import vector_code as code
from bellrock.dialects.matrix_engine.block_io import DEPTH, LANES, ROWS
from bellrock.dialects.matrix_engine.reading import EngineKernel, Loops
from bellrock.dialects.matrix_engine.views import split
from bellrock.dialects.vector_code import Index


@dataclass(frozen=True, slots=True)
class Choice:
    """Tiles of a kernel: pairs are rows and columns of the operand, as it is multiplied.

    Loads of a side whose memory has the other order, and of single elements, have sizes of their
    own.
    """

    work_group: tuple[int, int]
    sub_group: tuple[int, int]
    k_step: int
    load_a: tuple[int, int]
    load_b: tuple[int, int]
    prefetch_a: tuple[int, int]
    prefetch_b: tuple[int, int]
    prefetch_depth: int
    registers: int
    """Of a thread."""
    split_k: int
    """Parts of the depth to aim at."""

    def parts(self, depth: int) -> int:
        """Return the parts of a depth, none of which is empty."""
        steps = -(-depth // self.k_step)
        return -(-steps // -(-steps // min(self.split_k, steps)))

    @property
    def sub_groups(self) -> tuple[int, int]:
        """How many there are in a work-group, along rows and columns."""
        rows, columns = (w // s for w, s in zip(self.work_group, self.sub_group, strict=True))
        return rows, columns


@dataclass(frozen=True, slots=True)
class Tile:
    """The part of the product that one sub-group makes."""

    kernel: EngineKernel
    choice: Choice
    group_row: Index
    """First row of the work-group."""
    group_column: Index
    row: Index
    """First row of the sub-group."""
    column: Index
    sub_group: Index
    """Its number in the work-group."""
    lane: Index
    plane: Index
    """Its number in the batch."""
    batch: tuple[Index, ...]
    """Indices of all loops; only those of the batch are set."""

    @property
    def blocks(self) -> tuple[int, int]:
        """How many products of one instruction it has, down and across."""
        rows, columns = self.choice.sub_group
        return rows // ROWS, columns // LANES

    @property
    def rows_fit(self) -> bool:
        """Whether tiles end where the matrices do."""
        return self.kernel.rows.size % self.choice.work_group[0] == 0

    @property
    def columns_fit(self) -> bool:
        """Whether tiles end where the matrices do."""
        return self.kernel.columns.size % self.choice.work_group[1] == 0

    @property
    def depth_step(self) -> int:
        """Part of the depth that is multiplied in one turn."""
        return min(self.choice.k_step, -(-self.kernel.depth.size // DEPTH) * DEPTH)

    @property
    def depth_fits(self) -> bool:
        """Whether turns end where the matrices do."""
        return self.kernel.depth.size % self.depth_step == 0

    def loops(
        self, *, row: Index | None = None, column: Index | None = None, depth: Index | None = None
    ) -> list[Index]:
        """Return the indices of all loops at an element, clamped to the matrices."""
        found = list(self.batch)
        kernel = self.kernel
        for where, dimension in ((row, kernel.rows), (column, kernel.columns),
                                 (depth, kernel.depth)):  # fmt: skip
            if where is None:
                continue
            parts = split(where, dimension.sizes)
            for number, index in zip(dimension.numbers, parts, strict=True):
                found[number] = index
        return found

    def clamped_row(self, row: Index) -> Index:
        """Return a row that is in the matrices."""
        return row if self.rows_fit else code.minimum(row, self.kernel.rows.size - 1)

    def clamped_column(self, column: Index) -> Index:
        """Return a column that is in the matrices."""
        return column if self.columns_fit else code.minimum(column, self.kernel.columns.size - 1)


def tile_of(
    kernel: EngineKernel, choice: Choice, groups: Sequence[Index], sub_group: Index, lane: Index
) -> Tile:
    """Emit where a sub-group is.

    Args:
        kernel: what it makes a part of.
        choice: tiles.
        groups: number of the work-group, by column, row and batch.
        sub_group: its number in the work-group.
        lane: of the work-item in the sub-group.
    """
    down, across = code.quotient(sub_group, choice.sub_groups[1])
    group_row = code.scaled(groups[1], choice.work_group[0])
    group_column = code.scaled(groups[0], choice.work_group[1])
    batch: list[Index] = [0] * len(kernel.op.loops)
    for number, index in zip(
        kernel.batch.numbers, split(groups[2], kernel.batch.sizes), strict=True
    ):
        batch[number] = index
    return Tile(
        kernel=kernel,
        choice=choice,
        group_row=group_row,
        group_column=group_column,
        row=code.add(group_row, code.scaled(down, choice.sub_group[0])),
        column=code.add(group_column, code.scaled(across, choice.sub_group[1])),
        sub_group=sub_group,
        lane=lane,
        plane=groups[2],
        batch=tuple(batch),
    )


def inside(index: Index, dimension: Loops) -> ir.Value:
    """Emit whether an index is in the matrices."""
    return arith.cmpi(arith.CmpIPredicate.ult, code.as_value(index), code.as_value(dimension.size))
