"""How much memory a program needs at its peak, ours and eager's alike.

Flows in: a compiled model; a PyTorch model and its inputs. Flows out: bytes of the tensors that
are alive at once, arguments included. Counted, not sampled: the resident set of a process in
which several programs run cannot be told apart.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bellrock.bench.record import MemoryInfo

if TYPE_CHECKING:
    from bellrock.api import CompiledModel

EXCESS = 1.1
"""Ours above eager's by more than this is a warning."""


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


def memory_info(
    compiled: CompiledModel, model: torch.nn.Module, inputs: Sequence[object]
) -> MemoryInfo:
    """Count both peaks; the model is run once."""
    held = [leaf for leaf in tree_leaves(list(inputs)) if isinstance(leaf, torch.Tensor)]
    held += chain(model.parameters(), model.buffers())
    live = LiveStorage(held)
    with live:
        model(*inputs)
    payload, artifact = compiled.compiled.payload, compiled.compiled.artifact
    prepared = artifact.preparation.value_bytes if artifact.preparation else ()
    ours = sum(spec.bytes for spec in (*payload.arguments, *payload.results))
    return MemoryInfo(
        ours_bytes=ours + artifact.workspace_bytes + sum(prepared), eager_bytes=live.peak_bytes
    )


def memory_warnings(memory: MemoryInfo) -> tuple[str, ...]:
    """Say where ours needs notably more than eager."""
    ratio = memory.ours_bytes / max(memory.eager_bytes, 1)
    return (f"memory: {ratio:.2f} times eager's peak",) if ratio > EXCESS else ()
