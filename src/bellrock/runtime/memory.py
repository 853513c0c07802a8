"""Memory for a program's results, workspace and prepared values.

Flows in: sizes in bytes. Flows out: aligned blocks, in large pages where the system has them;
and, for results, blocks that were given back: fresh memory of some hundred megabytes costs
more in page faults than most kernels take to fill it.
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections import OrderedDict, deque

import numpy as np

ALIGNMENT_BYTES = 64
LARGE_PAGE_BYTES = 2 << 20
"""Of x86-64 and, mostly, of AArch64; only a hint depends on it."""
KEPT_SHARE = 8
"""A pool keeps at most this part (one in so many) of the machine's memory for later."""


def fresh_block(size: int) -> np.ndarray:
    """Return fresh memory that starts at a multiple of `ALIGNMENT_BYTES`.

    Args:
        size: in bytes; 0 gives memory that must not be used.

    Returns:
        Bytes, not initialised. From `LARGE_PAGE_BYTES` on the system is asked to back them with
        large pages: fewer faults when they are first written, fewer misses of the TLB later.

    Raises:
        MemoryError: there is not that much.
    """
    if size >= LARGE_PAGE_BYTES:
        return _mapped(size)
    whole = np.empty(size + ALIGNMENT_BYTES, np.uint8)
    skip = -int(whole.ctypes.data) % ALIGNMENT_BYTES
    return whole[skip : skip + max(size, 1)]


def _mapped(size: int) -> np.ndarray:
    try:
        mapping = mmap.mmap(-1, size + LARGE_PAGE_BYTES)
    except (OSError, OverflowError) as error:
        raise MemoryError(f"cannot allocate memory: {size} bytes ({error})") from error
    whole = np.frombuffer(mapping, np.uint8)
    skip = -int(whole.ctypes.data) % LARGE_PAGE_BYTES
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # Only pages that lie inside wholly: nothing is backed that was not asked for.
        mapping.madvise(mmap.MADV_HUGEPAGE, skip, size // LARGE_PAGE_BYTES * LARGE_PAGE_BYTES)
    return whole[skip : skip + size]


class BlockPool:
    """Blocks that come back when nothing refers to them any more, and are given out again.

    What is kept never exceeds `limit_bytes`: the blocks that came back first go first. So a
    caller that drops each result before or right after the next call needs no memory beyond
    the results that it holds.

    Thread safety: all methods may be called from several threads; a block may come back at
    any point of any thread, for that is when Python frees objects.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Make an empty pool.

        Args:
            limit_bytes: of idle blocks; 0 keeps none.
        """
        self.limit_bytes = limit_bytes
        # Coming back must not wait for a lock: the thread that frees may be the one that holds it.
        self._returned: deque[np.ndarray] = deque()
        self._lent: dict[int, tuple[weakref.ref[np.ndarray], np.ndarray]] = {}
        self._idle: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, size: int) -> np.ndarray:
        """Return `size` bytes, not initialised, which come back once nothing refers to them.

        Raises:
            MemoryError: there is not that much.
        """
        with self._lock:
            if self._returned:
                self._sort_in()
            # The one that came back last is the one whose lines are still in the caches.
            same = next((k for k, b in reversed(self._idle.items()) if b.nbytes == size), None)
            block = None if same is None else self._idle.pop(same)
        if block is None:
            block = fresh_block(size)
        # Views of an array refer to it, and so do torch tensors made of it; the block itself
        # stays out of their hands, or it would be freed with them.
        lease = np.frombuffer(block.data, np.uint8)
        watch = weakref.ref(lease, self._come_back)  # a `finalize` costs a microsecond a call
        self._lent[id(watch)] = watch, block
        return lease

    def _come_back(self, watch: weakref.ref[np.ndarray]) -> None:
        self._returned.append(self._lent.pop(id(watch))[1])

    @property
    def idle_bytes(self) -> int:
        """Memory that is kept for later."""
        with self._lock:
            self._sort_in()
            return sum(block.nbytes for block in self._idle.values())

    def release(self) -> None:
        """Give all idle memory back to the system."""
        with self._lock:
            self._sort_in()
            self._idle.clear()

    def _sort_in(self) -> None:
        """Take over what came back, and drop the oldest beyond the limit. Needs the lock."""
        while self._returned:
            block = self._returned.popleft()
            self._idle[id(block)] = block
        kept = sum(block.nbytes for block in self._idle.values())
        while kept > self.limit_bytes:
            kept -= self._idle.popitem(last=False)[1].nbytes


def machine_memory_bytes() -> int:
    """Return the size of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


RESULTS = BlockPool(machine_memory_bytes() // KEPT_SHARE)
"""Serves the results of all programs of the process."""
