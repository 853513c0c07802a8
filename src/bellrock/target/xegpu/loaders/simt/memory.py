"""The three memories that device code can reach, with every access checked.

Flows in: addresses of all work-items, a mask. Flows out: values; or an error for an access outside
of what was allocated, and for local memory for one that no barrier orders.

The kind of memory is told by the address: local memory lies low (offsets into it fit 32 bits, as
hardware has them), private memory above it, global memory highest.
"""

from __future__ import annotations

import bisect
import mmap

import numpy as np

from bellrock.errors import DeviceError
from bellrock.target.xegpu.loaders.simt.types import Array

LOCAL_BASE = 1 << 16
PRIVATE_BASE = 1 << 32
GLOBAL_BASE = 1 << 40
GLOBAL_BYTES = 1 << 38
"""Addresses of global memory. The system backs only those in use."""
_ALIGNMENT_BYTES = 256
_GUARD_BYTES = 256
"""Between allocations, so that no access runs from one into the next."""
_NOBODY, _MANY = -1, -2
UNSET = 0xFF
"""What fresh memory holds: NaN as a floating-point number, -1 as an integer."""


class AccessError(Exception):
    """An access that is not allowed; the interpreter adds kernel and op."""


class Bytes:
    """Memory that is read and written by addresses of many work-items at once."""

    def __init__(self, base: int, data: Array) -> None:
        """Lay bytes out from an address on."""
        self.base, self.data = base, data
        self._views: dict[np.dtype, Array] = {}

    def load(self, addresses: Array, dtype: np.dtype, count: int | None) -> Array:
        """Return a scalar or a vector of each address; all are in bounds."""
        at = addresses - self.base
        if _aligned(at, dtype.itemsize):
            index = at >> dtype.itemsize.bit_length() - 1
            if count is not None:
                index = index[:, None] + np.arange(count)
            return self._view(dtype).take(index)
        size = dtype.itemsize * (count or 1)
        found = np.ascontiguousarray(self.data[at[:, None] + np.arange(size)]).view(dtype)
        return found if count is not None else found[:, 0]

    def store(self, addresses: Array, values: Array) -> None:
        """Write a scalar or a vector at each address; all are in bounds."""
        at, dtype = addresses - self.base, values.dtype
        if _aligned(at, dtype.itemsize):
            index = at >> dtype.itemsize.bit_length() - 1
            if values.ndim == 2:
                index = index[:, None] + np.arange(values.shape[1])
            self._view(dtype)[index] = values
            return
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
        self.data[at[:, None] + np.arange(raw.shape[1])] = raw

    def _view(self, dtype: np.dtype) -> Array:
        if dtype not in self._views:
            self._views[dtype] = self.data.view(dtype)
        return self._views[dtype]


def _aligned(offsets: Array, size_bytes: int) -> bool:
    """Whether all are multiples of a power of two; remainders would take ten times as long."""
    return not int(np.bitwise_or.reduce(offsets)) & (size_bytes - 1)


class GlobalMemory(Bytes):
    """What the host allocates. It lasts from launch to launch."""

    def __init__(self) -> None:
        """Reserve addresses."""
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        self._mapping = mmap.mmap(-1, GLOBAL_BYTES, flags=flags)
        super().__init__(GLOBAL_BASE, np.frombuffer(self._mapping, np.uint8))
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._next = GLOBAL_BASE + _ALIGNMENT_BYTES

    def allocate(self, size_bytes: int) -> int:
        """Return the address of fresh memory, in an order that only goes up."""
        size = max(size_bytes, 1)
        address, end = self._next, self._next + size
        if end > GLOBAL_BASE + GLOBAL_BYTES:
            raise DeviceError("the interpreter has no addresses left", got=f"{size_bytes} bytes")
        self._next = -(-(end + _GUARD_BYTES) // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        self._starts.append(address)
        self._ends.append(end)
        self.data[address - self.base : end - self.base] = UNSET
        return address

    def free(self, address: int) -> None:
        """Give memory back: accesses to it are errors from now on."""
        index = bisect.bisect_left(self._starts, address)
        if index == len(self._starts) or self._starts[index] != address:
            raise DeviceError("memory is freed that is not allocated", got=f"{address:#x}")
        end = self._ends[index]
        del self._starts[index], self._ends[index]
        page = mmap.PAGESIZE
        first, last = -(-(address - self.base) // page) * page, (end - self.base) // page * page
        if last > first:
            self._mapping.madvise(mmap.MADV_REMOVE, first, last - first)

    @property
    def allocated_bytes(self) -> int:
        """What is allocated now."""
        return sum(self._ends) - sum(self._starts)

    def check(self, addresses: Array, size_bytes: int) -> None:
        """Make sure that accesses of a size are inside allocations.

        Raises:
            AccessError: one is not.
        """
        first, last = int(addresses.min()), int(addresses.max())
        index = bisect.bisect_right(self._starts, first) - 1
        if index >= 0 and last + size_bytes <= self._ends[index]:
            return
        starts, ends = np.asarray(self._starts, np.int64), np.asarray(self._ends, np.int64)
        owner = np.searchsorted(starts, addresses, side="right") - 1
        inside = owner >= 0
        inside[inside] = addresses[inside] + size_bytes <= ends[owner[inside]]
        if not inside.all():
            raise AccessError(self._outside(int(addresses[np.argmin(inside)]), size_bytes))

    def _outside(self, address: int, size_bytes: int) -> str:
        what = f"an access of {size_bytes} bytes at {address:#x} is outside of all global memory"
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return what
        start, end = self._starts[index], self._ends[index]
        return (
            f"{what}; the allocation before has {end - start} bytes, this is at {address - start}"
        )


class PrivateMemory(Bytes):
    """What each work-item has for itself."""

    def __init__(self, lanes: int, lane_bytes: int) -> None:
        """Give each work-item that many bytes, not set."""
        self.lane_bytes = -(-max(lane_bytes, 1) // 64) * 64
        super().__init__(PRIVATE_BASE, np.full(lanes * self.lane_bytes, UNSET, np.uint8))

    def check(self, addresses: Array, size_bytes: int, lanes: Array) -> None:
        """Make sure that each work-item stays in its own part.

        Raises:
            AccessError: one does not.
        """
        at = addresses - self.base - lanes * self.lane_bytes
        wrong = (at < 0) | (at + size_bytes > self.lane_bytes)
        if wrong.any():
            where = int(at[np.argmax(wrong)])
            raise AccessError(
                f"an access of {size_bytes} bytes at {where} is outside of a work-item's "
                f"{self.lane_bytes} bytes of private memory"
            )


class LocalMemory(Bytes):
    """What the work-items of a work-group share; each group has a part of its own.

    Between two barriers a byte may be written by one work-item and read by that one, or be read
    by any: all else depends on which work-item is faster. Writing the value that is there already
    is allowed to all.
    """

    def __init__(self, groups: int, group_bytes: int) -> None:
        """Give each work-group that many bytes, not set."""
        self.group_bytes = -(-max(group_bytes, 1) // 64) * 64
        size = groups * self.group_bytes
        if LOCAL_BASE + size > PRIVATE_BASE // 2:
            raise DeviceError("the interpreter has not that much local memory", got=size)
        super().__init__(LOCAL_BASE, np.full(size, UNSET, np.uint8))
        self._writer = np.full(size, _NOBODY, np.int32)
        self._reader = np.full(size, _NOBODY, np.int32)

    def check(self, addresses: Array, size_bytes: int, groups: Array) -> None:
        """Make sure that each work-item stays in its group's part.

        Raises:
            AccessError: one does not.
        """
        at = addresses - self.base - groups * self.group_bytes
        wrong = (at < 0) | (at + size_bytes > self.group_bytes)
        if wrong.any():
            where = int(at[np.argmax(wrong)])
            raise AccessError(
                f"an access of {size_bytes} bytes at {where} is outside of a work-group's "
                f"{self.group_bytes} bytes of local memory"
            )

    def note_reads(self, addresses: Array, size_bytes: int, lanes: Array) -> None:
        """Make sure that no other work-item wrote there since the last barrier.

        Raises:
            AccessError: one did.
        """
        at, who = self._places(addresses, size_bytes, lanes)
        writer = self._writer[at]
        if ((writer != _NOBODY) & (writer != who)).any():
            raise AccessError(
                "local memory is read that another work-item wrote since the last barrier"
            )
        before = self._reader[at]
        self._reader[at] = who
        shared = (self._reader[at] != who) | ((before != _NOBODY) & (before != who))
        self._reader[at[shared]] = _MANY

    def note_writes(self, addresses: Array, values: Array, lanes: Array) -> None:
        """Make sure that no other work-item read or wrote there since the last barrier.

        Raises:
            AccessError: one did.
        """
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
        at, who = self._places(addresses, raw.shape[1], lanes)
        new = raw.ravel()
        reader, writer = self._reader[at], self._writer[at]
        if ((reader != _NOBODY) & (reader != who) & (self.data[at] != new)).any():
            raise AccessError(
                "local memory is written that another work-item read since the last barrier"
            )
        if ((writer != _NOBODY) & (writer != who) & (self.data[at] != new)).any():
            raise AccessError(
                "local memory is written that another work-item wrote since the last barrier"
            )
        self.data[at] = new
        if (self.data[at] != new).any():
            raise AccessError("work-items write different values to one place of local memory")
        self._writer[at] = who

    def barrier(self, groups: Array) -> None:
        """Let the work-items of groups see what was written."""
        for notes in (self._writer, self._reader):
            notes.reshape(-1, self.group_bytes)[groups] = _NOBODY

    def _places(self, addresses: Array, size_bytes: int, lanes: Array) -> tuple[Array, Array]:
        at = (addresses - self.base)[:, None] + np.arange(size_bytes)
        return at.ravel(), np.repeat(lanes.astype(np.int32), size_bytes)
