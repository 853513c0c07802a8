"""Outputs in blocks: every statistic of a large tensor is gathered piece by piece.

Flows in: a tensor of any shape. Flows out: a view of it as (planes, rows, columns), slices
that cover it, and sums over the groups of several partitions (planes, rows, columns, tiles).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BLOCK_ELEMENTS = 1 << 17
"""Elements handled at a time: 1 MiB in f64, so that a handful of temporaries stay in cache."""
TILE = 16
"""Edge of a tile in elements; 256 elements give a root mean square within 5 %."""
Slices = tuple[slice, slice, slice]


def canonical_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (planes, rows, columns): unit dimensions dropped, leading ones flattened."""
    sizes = [size for size in shape if size != 1]
    while len(sizes) < 3:
        sizes.insert(0, 1)
    return math.prod(sizes[:-2]), sizes[-2], sizes[-1]


def iterate_blocks(shape: tuple[int, int, int]) -> Iterator[Slices]:
    """Yield slices that cover the shape, each within `BLOCK_ELEMENTS`, on tile boundaries."""
    planes, rows, columns = shape
    # Rows come by whole tiles, so that of very long ones only a part fits.
    column_step = _step(columns, BLOCK_ELEMENTS // min(rows, TILE))
    row_step = _step(rows, BLOCK_ELEMENTS // max(1, min(columns, column_step)))
    plane_step = max(1, BLOCK_ELEMENTS // max(1, min(columns, column_step) * min(rows, row_step)))
    for plane in range(0, planes, plane_step):
        for row in range(0, rows, row_step):
            for column in range(0, columns, column_step):
                yield (
                    slice(plane, min(planes, plane + plane_step)),
                    slice(row, min(rows, row + row_step)),
                    slice(column, min(columns, column + column_step)),
                )


def _step(size: int, room: int) -> int:
    return size if size <= room else max(TILE, room // TILE * TILE)


def all_finite(block: torch.Tensor) -> bool:
    """Return whether a block has neither NaN nor infinity, in one pass."""
    return math.isfinite(float(block.sum(dtype=block.dtype)))


def tile_sums(values: torch.Tensor) -> torch.Tensor:
    """Sum a block (a, b, c) over tiles of the last two dimensions."""
    import torch

    _, rows, columns = values.shape
    padded = torch.nn.functional.pad(values, (0, -columns % TILE, 0, -rows % TILE))
    a, b, c = padded.shape
    return padded.view(a, b // TILE, TILE, c // TILE, TILE).sum((2, 4))


@dataclass(kw_only=True, slots=True)
class GroupSums:
    """Sums of one quantity over the groups of each partition of one tensor.

    Partitions: `whole`, `planes`, `rows` (each row of each plane), `row` (one row number in
    all planes), `column` and `tiles`. Those with one group or tiny groups are left out.
    """

    shape: tuple[int, int, int]
    sums: dict[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Allocate the sums of the partitions that this shape has."""
        import torch

        for name, size in partitions_of(self.shape).items():
            self.sums[name] = torch.zeros(size, dtype=torch.float64)

    def add(self, where: Slices, values: torch.Tensor) -> None:
        """Add a block's values (f64) to the group sums."""
        planes, rows, columns = where
        by_row = values.sum(2, keepdim=True)
        by_plane = by_row.sum(1, keepdim=True)
        self.sums["whole"] += by_plane.sum()
        if "planes" in self.sums:
            self.sums["planes"][planes] += by_plane
        if "rows" in self.sums:
            self.sums["rows"][planes, rows] += by_row
        if "row" in self.sums:
            self.sums["row"][:, rows] += by_row.sum(0, keepdim=True)
        if "column" in self.sums:
            self.sums["column"][:, :, columns] += values.sum((0, 1), keepdim=True)
        if "tiles" in self.sums:
            self.sums["tiles"][planes, _tiled(rows), _tiled(columns)] += tile_sums(values)


def partitions_of(shape: tuple[int, int, int]) -> dict[str, tuple[int, int, int]]:
    """Return the partitions that make sense for a shape, with the shape of their groups."""
    planes, rows, columns = shape
    tiles = (planes, -(-rows // TILE), -(-columns // TILE))
    sizes = {
        "whole": (1, 1, 1),
        "planes": (planes, 1, 1),
        "rows": (planes, rows, 1),
        "row": (1, rows, 1),
        "column": (1, 1, columns),
        "tiles": tiles,
    }
    total = math.prod(shape)
    kept: dict[str, tuple[int, int, int]] = {}
    for name, size in sizes.items():
        groups = math.prod(size)
        if name == "whole" or (groups > 1 and total >= 8 * groups and size not in kept.values()):
            kept[name] = size
    return kept


def group_counts(shape: tuple[int, int, int]) -> dict[str, torch.Tensor]:
    """Return how many elements each group of each partition has."""
    import torch

    planes, rows, columns = shape
    counts = {}
    for name, size in partitions_of(shape).items():
        if name == "tiles":
            high = torch.full((size[1],), float(TILE), dtype=torch.float64)
            high[-1] = rows - TILE * (size[1] - 1)
            wide = torch.full((size[2],), float(TILE), dtype=torch.float64)
            wide[-1] = columns - TILE * (size[2] - 1)
            counts[name] = (high[:, None] * wide[None, :]).expand(size)
        else:
            each = planes * rows * columns / math.prod(size)
            counts[name] = torch.full((1, 1, 1), each, dtype=torch.float64).expand(size)
    return counts


def expand_groups(name: str, groups: torch.Tensor, where: Slices) -> torch.Tensor:
    """Return the groups' values, broadcastable to the block at `where`."""
    planes, rows, columns = where
    if name == "tiles":
        tiled = groups[planes, _tiled(rows), _tiled(columns)]
        grown = tiled.repeat_interleave(TILE, 1).repeat_interleave(TILE, 2)
        return grown[:, : rows.stop - rows.start, : columns.stop - columns.start]
    return groups[
        planes if groups.shape[0] > 1 else slice(None),
        rows if groups.shape[1] > 1 else slice(None),
        columns if groups.shape[2] > 1 else slice(None),
    ]


def group_start(name: str, group: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the canonical index of a group's first element."""
    scale = TILE if name == "tiles" else 1
    return group[0], group[1] * scale, group[2] * scale


def _tiled(part: slice) -> slice:
    return slice(part.start // TILE, -(-part.stop // TILE))
