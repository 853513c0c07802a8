"""Most bytes of tensors that are alive at once while a model runs, real or fake.

Flows in: the tensors that are there already, and what runs below the mode. Flows out: the peak.
Used by `suite_probe.py`: on fake tensors, where no allocator can be asked.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveStorage(TorchDispatchMode):
    """Tracks the bytes of all storages that some tensor still refers to.

    What an operator allocates and frees inside itself is not seen.
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        """Begin with tensors that are there already."""
        super().__init__()
        self._holders: dict[int, int] = {}
        self._seen: set[int] = set()
        self._live_bytes = self.peak_bytes = 0
        for tensor in tensors:
            self._hold(tensor)

    def _hold(self, tensor: torch.Tensor) -> None:
        if id(tensor) in self._seen:
            return
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()  # noqa: SLF001  # its only identity
        if self._holders.get(key, 0) == 0:
            self._live_bytes += size
            self.peak_bytes = max(self.peak_bytes, self._live_bytes)
        self._holders[key] = self._holders.get(key, 0) + 1
        self._seen.add(id(tensor))
        weakref.finalize(tensor, self._release, id(tensor), key, size)

    def _release(self, tensor_id: int, key: int, size: int) -> None:
        self._seen.discard(tensor_id)
        self._holders[key] -= 1
        if self._holders[key] == 0:
            del self._holders[key]
            self._live_bytes -= size

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Run an operator, and see what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._hold(leaf)
        return result
