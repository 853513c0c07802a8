"""Device memory: blocks that are given out, taken back and used again.

Flows in: sizes, host addresses (of torch tensors and numpy arrays alike). Flows out: blocks of
device memory with what the host has, and back. Allocating on a device takes a system call or a
driver's, so blocks that came back are kept up to a limit; none is ever lost, which tests count.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bellrock.target.xegpu.loaders.base import Device

LEAST_BYTES = 256
"""Size of the smallest block; others are rounded up to a quarter of a power of two."""


@dataclass(frozen=True, slots=True)
class Block:
    """Device memory that somebody holds."""

    address: int
    size_bytes: int
    """What may be used; the allocation may be larger."""
    generation: int
    """Of the device when it was made."""


class DeviceMemory:
    """The memory of one device.

    Thread safety: none; users hold the device's lock.
    """

    def __init__(self, device: Device, *, kept_bytes: int) -> None:
        """Hold no memory yet.

        Args:
            device: whose memory.
            kept_bytes: of blocks that came back and are kept for later, at most.
        """
        self._device = device
        self._kept_bytes = 0 if device.exact_sizes else kept_bytes
        self._idle: list[tuple[int, int]] = []
        """(rounded size, address), the one that came back first first."""
        self._held: dict[int, int] = {}
        """Address to rounded size."""
        self._generation = device.generation

    @property
    def held_bytes(self) -> int:
        """What is given out."""
        self._notice_loss()
        return sum(self._held.values())

    @property
    def idle_bytes(self) -> int:
        """What came back and is kept."""
        self._notice_loss()
        return sum(size for size, _ in self._idle)

    def take(self, size_bytes: int) -> Block:
        """Return a block, not initialised.

        Raises:
            DeviceError: there is not that much, even after giving back what is idle.
        """
        self._notice_loss()
        size = max(size_bytes, 1) if self._device.exact_sizes else rounded(size_bytes)
        index = next((i for i, (idle, _) in enumerate(self._idle) if idle == size), None)
        if index is not None:
            address = self._idle.pop(index)[1]
        else:
            address = self._device.allocate(size)
            self._notice_loss()
        self._held[address] = size
        return Block(address, size_bytes, self._device.generation)

    def give_back(self, block: Block) -> None:
        """Take a block back; of a device that is lost there is nothing to give."""
        self._notice_loss()
        if block.generation != self._generation:
            return
        self._idle.append((self._held.pop(block.address), block.address))
        self._shrink(self._kept_bytes)

    def release(self) -> None:
        """Free everything idle."""
        self._notice_loss()
        self._shrink(0)

    def upload(self, block: Block, host: int) -> None:
        """Fill a block from host memory."""
        if block.size_bytes:
            self._device.upload(block.address, host, block.size_bytes)

    def download(self, host: int, block: Block) -> None:
        """Copy a block to host memory."""
        if block.size_bytes:
            self._device.download(host, block.address, block.size_bytes)

    @contextmanager
    def frame(self) -> Iterator[Frame]:
        """Give out blocks that come back together at the end."""
        frame = Frame(self)
        try:
            yield frame
        finally:
            frame.close()

    def _shrink(self, limit_bytes: int) -> None:
        kept = sum(size for size, _ in self._idle)
        while kept > limit_bytes:
            size, address = self._idle.pop(0)
            self._device.free(address)
            kept -= size

    def _notice_loss(self) -> None:
        if self._generation != self._device.generation:
            self._generation = self._device.generation
            self._idle.clear()
            self._held.clear()


class Frame:
    """Blocks of one call."""

    def __init__(self, memory: DeviceMemory) -> None:
        self._memory = memory
        self._blocks: list[Block] = []

    def take(self, size_bytes: int) -> Block:
        """Return a block, not initialised."""
        block = self._memory.take(size_bytes)
        self._blocks.append(block)
        return block

    def filled(self, host: int, size_bytes: int) -> Block:
        """Return a block with the contents of host memory."""
        block = self.take(size_bytes)
        self._memory.upload(block, host)
        return block

    def close(self) -> None:
        """Give everything back."""
        while self._blocks:
            self._memory.give_back(self._blocks.pop())


def rounded(size_bytes: int) -> int:
    """Return the size of the allocation for a block: at most a quarter more, in few sizes."""
    size = max(size_bytes, LEAST_BYTES)
    step = max(1 << ((size - 1).bit_length() - 3), LEAST_BYTES)
    return -(-size // step) * step
