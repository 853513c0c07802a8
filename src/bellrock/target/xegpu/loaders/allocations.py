"""What is allocated on a device: the check of addresses before a driver sees them.

Flows in: allocations as they come and go, addresses. Flows out: nothing, or an error that says
what is wrong with an address; a driver would end the process over it, or say nothing at all.
"""

from __future__ import annotations

import bisect

from bellrock.errors import DeviceError
from bellrock.target.xegpu.container import KernelEntry
from bellrock.target.xegpu.loaders.base import Copy, Launch


class Allocations:
    """Live allocations of one device."""

    def __init__(self) -> None:
        """Know of none."""
        self._starts: list[int] = []
        self._sizes: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, address: int, size_bytes: int) -> None:
        """Learn of an allocation."""
        bisect.insort(self._starts, address)
        self._sizes[address] = size_bytes

    def remove(self, address: int) -> None:
        """Forget an allocation that is about to be freed.

        Raises:
            DeviceError: there is none at this address.
        """
        if address not in self._sizes:
            raise DeviceError("memory is freed that is not allocated", got=f"{address:#x}")
        del self._sizes[address]
        self._starts.remove(address)

    def clear(self) -> None:
        """Forget all of them: the device is gone."""
        self._starts.clear()
        self._sizes.clear()

    def base(self, address: int, size_bytes: int, *, what: str) -> int:
        """Return the start of the allocation that some bytes lie in.

        Args:
            address: of the first byte.
            size_bytes: how many; 0 allows the end of an allocation too.
            what: for the message, e.g. `a copy's source`.

        Raises:
            DeviceError: they lie in none, or not wholly in one.
        """
        index = bisect.bisect_right(self._starts, address) - 1
        start = self._starts[index] if index >= 0 else 0
        if index >= 0 and address + size_bytes <= start + self._sizes[start]:
            return start
        raise DeviceError(
            f"{what} is not in memory of the device",
            got=f"{size_bytes} bytes at {address:#x}",
            hint="it was never allocated there, or has been freed",
        )

    def check_copy(self, copy: Copy) -> None:
        """Make sure that a copy stays within allocations, and does not overlap itself.

        Raises:
            DeviceError: it does not.
        """
        self.base(copy.to, copy.size_bytes, what="a copy's destination")
        self.base(copy.source, copy.size_bytes, what="a copy's source")
        if abs(copy.to - copy.source) < copy.size_bytes:
            raise DeviceError("a copy overlaps itself", got=str(copy))

    def check_pointers(self, launch: Launch, entry: KernelEntry) -> None:
        """Make sure that the pointers of a launch lead into allocations.

        Raises:
            DeviceError: one does not.
        """
        given = zip(entry.arguments, launch.arguments, strict=True)
        for position, (kind, value) in enumerate(given):
            if kind == "pointer":
                what = f"argument {position} of kernel {launch.kernel!r}"
                self.base(int.from_bytes(value, "little"), 0, what=what)
