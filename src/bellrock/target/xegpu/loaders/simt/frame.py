"""What a batch of work-groups has in common while it runs: places, memories, the active mask.

Flows in: a launch's sizes and the work-groups of the batch. Flows out: the state that every
instruction is given. All work-items of all groups of a batch run side by side, one instruction at
a time for all; the mask says for which of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bellrock.target.xegpu.builtins import SUB_GROUP
from bellrock.target.xegpu.loaders.base import Size3
from bellrock.target.xegpu.loaders.simt.memory import (
    GLOBAL_BASE,
    PRIVATE_BASE,
    AccessError,
    Bytes,
    GlobalMemory,
    LocalMemory,
    PrivateMemory,
)
from bellrock.target.xegpu.loaders.simt.types import Array, Plain


@dataclass(slots=True)
class Frame:
    """One batch."""

    grid: Size3
    group: Size3
    group_ids: tuple[Array, Array, Array]
    """Of each work-item, along x, y, z."""
    local_ids: tuple[Array, Array, Array]
    lanes: Array
    """Number of each work-item in the batch."""
    groups: Array
    """Number of its work-group in the batch."""
    in_group: Array
    """Number of each work-item in its group."""
    group_count: int
    global_memory: GlobalMemory
    local_memory: LocalMemory
    private_memory: PrivateMemory
    mask: Array | None = None
    """Which work-items are active; None: all."""

    @property
    def items(self) -> int:
        """Work-items of a group."""
        return self.group[0] * self.group[1] * self.group[2]

    def active(self, value: Array) -> Array:
        """Return the entries of active work-items (of a value for all: that one)."""
        return value if self.mask is None or len(value) == 1 else value[self.mask]

    def sub_lanes(self) -> Array:
        """Return the number of each work-item in its sub-group."""
        return self.in_group % SUB_GROUP

    def all_in_sub_groups(self) -> None:
        """Make sure that whole sub-groups are active.

        Raises:
            AccessError: some work-items of one are, others are not.
        """
        if self.items % SUB_GROUP:
            raise AccessError(
                f"a work-group of {self.items} work-items has a sub-group that is not whole"
            )
        if self.mask is not None:
            whole = self.mask.reshape(-1, SUB_GROUP)
            if (whole.any(1) != whole.all(1)).any():
                raise AccessError("the work-items of a sub-group disagree about a sub-group's op")

    def load(self, addresses: Array, kind: Plain) -> Array:
        """Return what active work-items find; others get 0."""
        if kind.dtype == np.bool_:
            return self.load(addresses, Plain(np.dtype(np.uint8), kind.count)) & 1 != 0
        size = kind.dtype.itemsize * (kind.count or 1)
        at = self.active(addresses)
        if not len(at):
            return kind.zeros()
        memory = self._checked(at, size, addresses)
        if isinstance(memory, LocalMemory):
            memory.note_reads(at, size, self._who(at, addresses))
        found = memory.load(at, kind.dtype, kind.count)
        if len(at) == len(addresses):
            return found
        result = kind.zeros(len(addresses))
        result[self.mask] = found
        return result

    def store(self, addresses: Array, values: Array) -> None:
        """Write the values of active work-items."""
        if values.dtype == np.bool_:
            values = values.astype(np.uint8)
        if len(addresses) < len(values):
            addresses = np.broadcast_to(addresses, len(values))
        at = self.active(addresses)
        if not len(at):
            return
        given = self.active(values)
        if len(given) < len(at):
            given = np.broadcast_to(given, (len(at), *given.shape[1:]))
        memory = self._checked(at, given.dtype.itemsize * int(np.prod(given.shape[1:])), addresses)
        if isinstance(memory, LocalMemory):
            memory.note_writes(at, given, self._who(at, addresses))
        else:
            memory.store(at, given)

    def _who(self, at: Array, addresses: Array) -> Array:
        """Return the work-items that access these places."""
        return self.lanes if len(at) == len(self.lanes) else self.active(self.lanes)[: len(at)]

    def _checked(self, at: Array, size_bytes: int, addresses: Array) -> Bytes:
        first = int(at[0])
        if first >= GLOBAL_BASE:
            self.global_memory.check(at, size_bytes)
            return self.global_memory
        who = self._who(at, addresses)
        if first >= PRIVATE_BASE:
            self.private_memory.check(at, size_bytes, who)
            return self.private_memory
        self.local_memory.check(at, size_bytes, self.groups[who])
        return self.local_memory


def frame_of(
    grid: Size3,
    group: Size3,
    numbers: Array,
    *,
    memory: GlobalMemory,
    local_bytes: int,
    private_bytes: int,
) -> Frame:
    """Lay out a batch.

    Args:
        grid: work-groups of the launch.
        group: work-items of a work-group.
        numbers: of the batch's work-groups, x fastest.
        memory: of the device.
        local_bytes: of each work-group.
        private_bytes: of each work-item.
    """
    items = group[0] * group[1] * group[2]
    groups = np.repeat(np.arange(len(numbers)), items)
    in_group = np.tile(np.arange(items), len(numbers))
    return Frame(
        grid=grid, group=group,
        group_ids=_split(numbers[groups], grid), local_ids=_split(in_group, group),
        lanes=np.arange(len(groups)), groups=groups, in_group=in_group,
        group_count=len(numbers), global_memory=memory,
        local_memory=LocalMemory(len(numbers), local_bytes),
        private_memory=PrivateMemory(len(groups), private_bytes),
    )  # fmt: skip


def _split(numbers: Array, sizes: Size3) -> tuple[Array, Array, Array]:
    numbers = numbers.astype(np.int64)
    x, y, _ = sizes
    return numbers % x, numbers // x % y, numbers // (x * y)
