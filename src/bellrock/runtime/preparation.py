"""Values that a program prepares once per set of weights: packed weights, tables.

Flows in: a loaded program and its arguments. Flows out: the addresses of the prepared values,
made anew whenever a fixed argument is another tensor or has been written since.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bellrock.runtime.memory import fresh_block
from bellrock.target.base import Loaded, Preparation

Key = tuple[tuple[object, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedValues:
    """One set of values. Whoever calls the program with them holds it until the call is over."""

    key: Key | None
    """What they were made of; None where that cannot be told, and they serve one call."""
    made_of: tuple[Any, ...]
    """The fixed arguments: while they are held, no other tensor can have their addresses."""
    memory: tuple[np.ndarray, ...]
    addresses: tuple[int, ...]


class Preparer:
    """Prepares, and keeps the values of the last set of weights.

    A torch tensor counts as unchanged if it has the same address, layout and version (PyTorch
    counts writes to a tensor; those made behind its back, through `.data` or a numpy view, it
    does not: call `forget` after them). Numpy arrays and tensors without a version are never
    known to be unchanged, so programs called on them prepare at each call. Thread safety: may
    be used from several threads.
    """

    def __init__(self, loaded: Loaded, preparation: Preparation) -> None:
        """Prepare nothing yet."""
        self._loaded = loaded
        self._about = preparation
        self._lock = threading.Lock()
        self._values: PreparedValues | None = None
        self.seconds = 0.0
        """How long the last preparation took."""
        self.count = 0
        """Preparations so far."""

    @property
    def value_bytes(self) -> int:
        """Size of all values."""
        return sum(self._about.value_bytes)

    def forget(self) -> None:
        """Prepare anew at the next call."""
        with self._lock:
            self._values = None

    def values(self, given: Sequence[Any], addresses: Sequence[int]) -> PreparedValues:
        """Return values for a call.

        Args:
            given: all arguments of the call, as the caller gave them.
            addresses: of the same arguments, contiguous.
        """
        fixed = tuple(given[i] for i in self._about.arguments)
        key = _key(fixed)
        with self._lock:
            if self._values is None or key is None or self._values.key != key:
                self._values = None  # its memory may be used again
                self._values = self._prepare(
                    key, fixed, [addresses[i] for i in self._about.arguments]
                )
            return self._values

    def _prepare(
        self, key: Key | None, fixed: tuple[Any, ...], addresses: Sequence[int]
    ) -> PreparedValues:
        started = time.perf_counter()
        memory = tuple(fresh_block(size) for size in self._about.value_bytes)
        places = tuple(int(each.ctypes.data) for each in memory)
        workspace = fresh_block(self._about.workspace_bytes)
        self._loaded.prepare([*addresses, *places, int(workspace.ctypes.data)])
        self.seconds = time.perf_counter() - started
        self.count += 1
        return PreparedValues(key=key, made_of=fixed, memory=memory, addresses=places)


def _key(tensors: Sequence[Any]) -> Key | None:
    """Return what tells these contents from others; None if nothing can."""
    parts: list[tuple[object, ...]] = []
    for tensor in tensors:
        if isinstance(tensor, np.ndarray) or tensor.is_inference():
            return None
        # The count of writes has no public name, but is what autograd itself relies on.
        version = tensor._version  # noqa: SLF001
        parts.append((tensor.data_ptr(), version, tuple(tensor.stride())))
    return tuple(parts)
